/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names so many distinct code addresses, spread evenly over the functions of the files, as an
 * answer of the daemon does of which nothing is known yet: through a new cache and the thread that
 * looks names up. Prints one line:
 *
 *   WALL_NS CPU_NS FRAMES FUNCTIONS_KNOWN LINES_KNOWN FRAMES_WITH_INLINED CACHE_BYTES
 *
 * usage: names FRAMES FILE...
 */
#include "clock.h"
#include "symbol/elf_file.h"
#include "symbol/namer.h"

#include <fcntl.h>
#include <gelf.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define CACHE_BYTES (16u << 20) /* what symbol_cache is by default */
#define FILES_MAX   64

/* From one address in a function to the next, around its end. */
#define STRIDE_BYTES 61
#define ROUNDS_MAX   10000

struct function {
	size_t file;
	uint64_t file_offset;
	uint64_t bytes;
};

struct functions {
	struct function *items;
	size_t count, capacity;
};

static void die(const char *what, const char *name)
{
	fprintf(stderr, "names: %s: %s\n", what, name);
	exit(1);
}

/* ---- Which functions there are ---- */

static void add_symbol(struct functions *functions, size_t file, const struct elf_layout *layout,
		       const GElf_Sym *symbol)
{
	const struct elf_code_segment *segment = elf_layout_segment(layout, symbol->st_value);

	if (GELF_ST_TYPE(symbol->st_info) != STT_FUNC || !symbol->st_size || !segment)
		return;
	if (functions->count == functions->capacity) {
		functions->capacity = functions->capacity ? functions->capacity * 2 : 4096;
		functions->items = reallocarray(functions->items, functions->capacity,
						sizeof(*functions->items));
		if (!functions->items)
			die("out of memory", "functions");
	}
	functions->items[functions->count++] = (struct function){
		.file = file,
		.file_offset = segment->file_offset + (symbol->st_value - segment->address),
		.bytes = symbol->st_size,
	};
}

/* From .symtab, or else .dynsym. */
static void add_functions(struct functions *functions, size_t file, int fd, const char *path)
{
	Elf *elf = elf_file_open(fd);
	Elf_Scn *section = NULL, *best = NULL;
	struct elf_layout layout;
	GElf_Shdr header;
	GElf_Sym symbol;
	Elf_Data *data;

	if (!elf || elf_layout_read(fd, &layout))
		die("no ELF file", path);
	while ((section = elf_nextscn(elf, section)))
		if (gelf_getshdr(section, &header) &&
		    (header.sh_type == SHT_SYMTAB || (header.sh_type == SHT_DYNSYM && !best)))
			best = section;
	data = best ? elf_getdata(best, NULL) : NULL;
	for (int i = 0; data && gelf_getsym(data, i, &symbol); i++)
		add_symbol(functions, file, &layout, &symbol);
	elf_end(elf);
}

static int compare_functions(const void *a, const void *b)
{
	const struct function *left = a, *right = b;

	if (left->file != right->file)
		return left->file < right->file ? -1 : 1;
	return left->file_offset < right->file_offset ? -1 : left->file_offset > right->file_offset;
}

/* Aliases are one function. */
static void keep_distinct(struct functions *functions)
{
	size_t kept = 0;

	qsort(functions->items, functions->count, sizeof(*functions->items), compare_functions);
	for (size_t i = 0; i < functions->count; i++)
		if (!kept || compare_functions(&functions->items[kept - 1], &functions->items[i]))
			functions->items[kept++] = functions->items[i];
	functions->count = kept;
}

/* ---- Naming them ---- */

/* Where there are fewer functions than frames, several are spread over each. */
static void fill_query(struct name_query *query, struct module **modules,
		       const struct functions *functions, size_t frame_count)
{
	size_t missing = frame_count;

	for (size_t round = 0; missing && round < ROUNDS_MAX; round++) {
		size_t wanted = missing < functions->count ? missing : functions->count;

		for (size_t i = 0; i < wanted; i++) {
			const struct function *function =
				&functions->items[(i * functions->count / wanted + round) %
						  functions->count];
			uint64_t inside = round * STRIDE_BYTES % function->bytes;

			missing -= !name_query_add(query, modules[function->file],
						   function->file_offset + inside);
		}
	}
	if (missing)
		die("too few addresses", "in these files");
}

static void *run_namer(void *context)
{
	namer_run(context);
	return NULL;
}

static void report(const struct name_query *query, double wall_seconds, double cpu_seconds,
		   const struct module_cache *cache)
{
	size_t functions = 0, lines = 0, inlined = 0;

	for (size_t i = 0; i < query->set.count; i++) {
		const struct named_frame *frame = &query->set.frames[i];

		functions += frame->name_count && frame->names[frame->name_count - 1].function;
		lines += frame->name_count && frame->names[0].line;
		inlined += frame->name_count > 1;
	}
	printf("%.0f %.0f %zu %zu %zu %zu %zu\n", wall_seconds * 1e9, cpu_seconds * 1e9,
	       query->set.count, functions, lines, inlined, module_cache_bytes(cache));
}

static void measure(const char *const *paths, const int *fds, size_t file_count,
		    const struct functions *functions, size_t frame_count)
{
	double began = clock_monotonic_seconds();
	double cpu_began = clock_read_seconds(CLOCK_PROCESS_CPUTIME_ID);
	struct module_cache *cache = module_cache_new(CACHE_BYTES, FILES_MAX);
	struct name_query *query = name_query_new();
	struct namer *namer = namer_new(1);
	struct module *modules[FILES_MAX];
	pthread_t thread;

	if (!cache || !query || !namer || pthread_create(&thread, NULL, run_namer, namer))
		die("out of memory", "namer");
	for (size_t i = 0; i < file_count; i++)
		if (module_cache_get(
			    cache,
			    &(struct module_file){.fd = fds[i], .path = paths[i], .root_fd = -1},
			    &modules[i]))
			die("no module", paths[i]);
	fill_query(query, modules, functions, frame_count);
	if (namer_ask(namer, query, began + 600))
		die("not all are named", "after 10 minutes");
	report(query, clock_monotonic_seconds() - began,
	       clock_read_seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu_began, cache);
	namer_stop(namer);
	pthread_join(thread, NULL);
	name_query_free(query);
	namer_free(namer);
	for (size_t i = 0; i < file_count; i++)
		module_release(modules[i]);
	module_cache_free(cache);
}

int main(int argc, char **argv)
{
	const char *const *paths = (const char *const *)argv + 2;
	struct functions functions = {0};
	size_t file_count = argc > 2 ? (size_t)argc - 2 : 0;
	int fds[FILES_MAX];

	if (!file_count || file_count > FILES_MAX)
		die("usage", "names FRAMES FILE...");
	for (size_t i = 0; i < file_count; i++) {
		fds[i] = open(paths[i], O_RDONLY | O_CLOEXEC);
		if (fds[i] < 0)
			die("cannot open", paths[i]);
		add_functions(&functions, i, fds[i], paths[i]);
	}
	if (!functions.count)
		die("no functions in", paths[0]);
	keep_distinct(&functions);
	measure(paths, fds, file_count, &functions, strtoul(argv[1], NULL, 10));
	free(functions.items);
	return 0;
}
