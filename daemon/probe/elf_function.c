/* SPDX-License-Identifier: Apache-2.0 */
/* No table is held in memory as a whole: names alone take 60 MB in libraries such as libtorch. */
#include "probe/elf_function.h"

#include "probe/elf_program.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Bounds on what a file may make us read and remember; real ones stay far below. */
#define PLACES_MAX        (1U << 20)
#define CHUNK_BYTES       65536
#define SYMBOLS_PER_CHUNK (CHUNK_BYTES / sizeof(Elf64_Sym))

#define VERSION_IS_HIDDEN 0x8000 /* in .gnu.version: not the default version of its name */

/* How well a symbol answers for a name; the first of the best rank is taken. */
enum rank {
	RANK_NONE,
	RANK_LOCAL, /* hidden symbols of static-pie executables end as local ones */
	RANK_OLD_VERSION,
	RANK_GLOBAL,
	RANK_DYNAMIC,
};

struct name {
	const char *text; /* borrowed */
	size_t bytes;
};

/* A place in the string table where one of the names begins. */
struct place {
	uint32_t offset;
	uint32_t name;
};

struct search {
	const struct elf_program *program;

	struct name *names;
	/* Names by their last character, chained: index + 1, 0 ends. */
	uint32_t first_name[256];
	uint32_t *next_names;       /* name_count */
	enum rank *ranks;           /* name_count */
	struct elf_function *found; /* name_count, borrowed */
	size_t name_count;
	size_t longest_name_bytes;

	/* Of the string table that is being searched; ascending. */
	struct place *places;
	size_t place_count;
	size_t place_capacity;
};

static size_t smaller(uint64_t a, size_t b)
{
	return a < b ? (size_t)a : b;
}

static int places_add(struct search *search, uint64_t offset, size_t name)
{
	if (search->place_count == search->place_capacity) {
		size_t capacity = search->place_capacity ? search->place_capacity * 2 : 64;
		struct place *places;

		if (capacity > PLACES_MAX)
			return -EFBIG;
		places = realloc(search->places, capacity * sizeof(*places));
		if (!places)
			return -ENOMEM;
		search->places = places;
		search->place_capacity = capacity;
	}
	search->places[search->place_count++] =
		(struct place){.offset = (uint32_t)offset, .name = (uint32_t)name};
	return 0;
}

/*
 * Names that end at one of the terminators after the first `history_bytes` of the buffer. A name
 * may be the tail of a longer string: linkers store "malloc" inside "__libc_malloc".
 */
static int places_find_in(struct search *search, const char *buffer, size_t history_bytes,
			  size_t buffer_bytes, uint64_t buffer_offset)
{
	const char *from = buffer + history_bytes;
	const char *limit = buffer + buffer_bytes;
	const char *end;

	while ((end = memchr(from, 0, (size_t)(limit - from)))) {
		uint32_t next = end > buffer ? search->first_name[(unsigned char)end[-1]] : 0;

		for (; next; next = search->next_names[next - 1]) {
			const struct name *name = &search->names[next - 1];
			int error;

			if (!name->bytes || name->bytes > (size_t)(end - buffer) ||
			    memcmp(end - name->bytes, name->text, name->bytes) != 0)
				continue;
			error = places_add(search,
					   buffer_offset + (uint64_t)(end - name->bytes - buffer),
					   next - 1);
			if (error)
				return error;
		}
		from = end + 1;
	}
	return 0;
}

static int place_compare(const void *a, const void *b)
{
	uint32_t first = ((const struct place *)a)->offset;
	uint32_t second = ((const struct place *)b)->offset;

	return (first > second) - (first < second);
}

/* All places in the string table where one of the names stands. */
static int places_find(struct search *search, const Elf64_Shdr *strings)
{
	size_t history_bytes = 0;
	char *buffer = malloc(search->longest_name_bytes + CHUNK_BYTES);
	int error = 0;

	if (!buffer)
		return -ENOMEM;
	search->place_count = 0;
	for (uint64_t done = 0; done < strings->sh_size;) {
		size_t bytes = smaller(strings->sh_size - done, CHUNK_BYTES);
		size_t kept_bytes;

		error = elf_program_read(search->program, strings->sh_offset + done,
					 buffer + history_bytes, bytes);
		if (error)
			goto out;
		bytes += history_bytes;
		error = places_find_in(search, buffer, history_bytes, bytes, done - history_bytes);
		if (error)
			goto out;
		done += bytes - history_bytes;
		kept_bytes = smaller(bytes, search->longest_name_bytes);
		memmove(buffer, buffer + bytes - kept_bytes, kept_bytes);
		history_bytes = kept_bytes;
	}
	if (search->place_count)
		qsort(search->places, search->place_count, sizeof(*search->places), place_compare);
out:
	free(buffer);
	return error;
}

/* Whether the file says where the function is. */
static bool function_locate(const struct search *search, const Elf64_Sym *symbol,
			    struct elf_function *function)
{
	uint64_t left_bytes;

	function->file_offset =
		elf_program_code_offset(search->program, symbol->st_value, &left_bytes);
	function->size_bytes = smaller(symbol->st_size, left_bytes);
	return function->file_offset != 0;
}

static enum rank symbol_rank(const Elf64_Sym *symbol, bool is_dynamic, Elf64_Versym version)
{
	/* Not the resolvers of STT_GNU_IFUNC: what they return is called, they aren't. */
	if (ELF64_ST_TYPE(symbol->st_info) != STT_FUNC || symbol->st_shndx == SHN_UNDEF ||
	    symbol->st_shndx == SHN_ABS || symbol->st_shndx == SHN_COMMON)
		return RANK_NONE;
	if (ELF64_ST_BIND(symbol->st_info) == STB_LOCAL)
		return RANK_LOCAL;
	if (!is_dynamic)
		return RANK_GLOBAL;
	return version & VERSION_IS_HIDDEN ? RANK_OLD_VERSION : RANK_DYNAMIC;
}

static void symbol_consider(struct search *search, const Elf64_Sym *symbol, enum rank rank)
{
	size_t low = 0;
	size_t high = search->place_count;

	if (rank == RANK_NONE)
		return;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (search->places[middle].offset < symbol->st_name)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < search->place_count && search->places[low].offset == symbol->st_name; low++) {
		size_t name = search->places[low].name;
		struct elf_function function;

		if (rank > search->ranks[name] && function_locate(search, symbol, &function)) {
			search->ranks[name] = rank;
			search->found[name] = function;
		}
	}
}

static int symbols_search(struct search *search, const Elf64_Shdr *table,
			  const Elf64_Shdr *versions)
{
	struct {
		Elf64_Sym symbols[SYMBOLS_PER_CHUNK];
		Elf64_Versym versions[SYMBOLS_PER_CHUNK];
	} *chunk = calloc(1, sizeof(*chunk));
	uint64_t symbol_count = table->sh_size / sizeof(Elf64_Sym);
	int error = 0;

	if (!chunk)
		return -ENOMEM;
	for (uint64_t first = 0; first < symbol_count; first += SYMBOLS_PER_CHUNK) {
		size_t count = smaller(symbol_count - first, SYMBOLS_PER_CHUNK);

		error = elf_program_read(search->program,
					 table->sh_offset + first * sizeof(Elf64_Sym),
					 chunk->symbols, count * sizeof(Elf64_Sym));
		if (!error && versions)
			error = elf_program_read(search->program,
						 versions->sh_offset + first * sizeof(Elf64_Versym),
						 chunk->versions, count * sizeof(Elf64_Versym));
		if (error)
			break;
		for (size_t i = 0; i < count; i++)
			symbol_consider(search, &chunk->symbols[i],
					symbol_rank(&chunk->symbols[i],
						    table->sh_type == SHT_DYNSYM,
						    chunk->versions[i]));
	}
	free(chunk);
	return error;
}

static int table_search(struct search *search, uint32_t type)
{
	const Elf64_Shdr *table = elf_program_section(search->program, type);
	const Elf64_Shdr *versions = NULL;
	const Elf64_Shdr *strings;
	int error;

	if (!table)
		return 0;
	if (table->sh_entsize != sizeof(Elf64_Sym) ||
	    table->sh_link >= search->program->header.e_shnum)
		return -ENOEXEC;
	strings = &search->program->sections[table->sh_link];
	if (strings->sh_type != SHT_STRTAB)
		return -ENOEXEC;
	error = elf_program_check_section(search->program, table);
	if (!error)
		error = elf_program_check_section(search->program, strings);
	if (!error && type == SHT_DYNSYM) {
		versions = elf_program_section(search->program, SHT_GNU_versym);
		if (versions &&
		    versions->sh_size / sizeof(Elf64_Versym) < table->sh_size / sizeof(Elf64_Sym))
			error = -ENOEXEC;
		else if (versions)
			error = elf_program_check_section(search->program, versions);
	}
	if (!error)
		error = places_find(search, strings);
	if (!error && search->place_count)
		error = symbols_search(search, table, versions);
	return error;
}

static int names_prepare(struct search *search, const char *const *names)
{
	search->names = calloc(search->name_count, sizeof(*search->names));
	search->ranks = calloc(search->name_count, sizeof(*search->ranks));
	search->next_names = calloc(search->name_count, sizeof(*search->next_names));
	if (!search->names || !search->ranks || !search->next_names)
		return -ENOMEM;
	for (size_t i = 0; i < search->name_count; i++) {
		size_t bytes = strlen(names[i]);

		search->names[i] = (struct name){.text = names[i], .bytes = bytes};
		if (bytes) {
			uint32_t *first = &search->first_name[(unsigned char)names[i][bytes - 1]];

			search->next_names[i] = *first;
			*first = (uint32_t)i + 1;
		}
		if (bytes > search->longest_name_bytes)
			search->longest_name_bytes = bytes;
	}
	return 0;
}

int elf_functions_find_in(const struct elf_program *program, const char *const *names,
			  size_t name_count, struct elf_function *found)
{
	struct search search = {.program = program, .found = found, .name_count = name_count};
	int result;

	if (name_count == 0)
		return 0;
	memset(found, 0, name_count * sizeof(*found));
	result = names_prepare(&search, names);
	if (!result)
		result = table_search(&search, SHT_DYNSYM);
	if (!result)
		result = table_search(&search, SHT_SYMTAB);
	if (result)
		memset(found, 0, name_count * sizeof(*found));
	for (size_t i = 0; i < name_count; i++)
		result += found[i].file_offset != 0;
	free(search.places);
	free(search.next_names);
	free(search.ranks);
	free(search.names);
	return result;
}

int elf_functions_find(int fd, const char *const *names, size_t name_count,
		       struct elf_function *found)
{
	struct elf_program program;
	int result = elf_program_open(fd, &program);

	if (result) {
		memset(found, 0, name_count * sizeof(*found));
		return result;
	}
	result = elf_functions_find_in(&program, names, name_count, found);
	elf_program_close(&program);
	return result;
}
