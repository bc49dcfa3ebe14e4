/* SPDX-License-Identifier: Apache-2.0 */
/* Where a module's names come from: its file, the files that complete it, and tables of both. */
#include "symbol/debug_data.h"
#include "symbol/debug_fetcher.h"
#include "symbol/debug_supplement.h"
#include "symbol/demangle.h"
#include "symbol/module_private.h"

#include "clock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/*
 * Shares of the cache's bytes for one module; half of them all is for names (module_cache.c). What
 * is left is for the frames.
 */
#define SYMBOLS_SHARE  4
#define UNPACKED_SHARE 8 /* taken from the share of symbols */
#define LINES_SHARE    8
#define INLINES_SHARE  8

/* A debug file that wasn't there may have been installed since; one that is fetched is noticed at
 * once. */
#define SEARCH_AGAIN_SECONDS 30.0

static const struct symbol_file no_file = {.fd = -1};

void module_tables_init(struct module_tables *tables)
{
	*tables = (struct module_tables){
		.debug = no_file, .supplement = no_file, .unpacked = no_file};
}

static void close_file(struct symbol_file *file)
{
	if (file->fd >= 0)
		close(file->fd);
	*file = no_file;
}

void module_tables_clear_sources(struct module_tables *tables)
{
	symbol_table_free(tables->symbols);
	line_table_free(tables->lines);
	inline_table_free(tables->inlines);
	tables->symbols = NULL;
	tables->lines = NULL;
	tables->inlines = NULL;
	close_file(&tables->debug);
	close_file(&tables->supplement);
	close_file(&tables->unpacked);
	tables->is_searched = tables->is_complete = false;
}

void module_tables_clear(struct module_tables *tables)
{
	module_tables_clear_sources(tables);
	frame_table_clear(&tables->frames);
}

size_t module_tables_bytes(const struct module_tables *tables)
{
	return (tables->symbols ? symbol_table_bytes(tables->symbols) : 0) +
	       (tables->lines ? line_table_bytes(tables->lines) : 0) +
	       (tables->inlines ? inline_table_bytes(tables->inlines) : 0) +
	       (size_t)tables->unpacked.bytes + frame_table_bytes(&tables->frames);
}

static struct symbol_file own_file(const struct module *module)
{
	return (struct symbol_file){.fd = module->fd, .bytes = module->layout.file_bytes};
}

static bool is_stripped(const struct module *module)
{
	struct symbol_file file = own_file(module);

	return !elf_file_has_section(&file, ".symtab") ||
	       !elf_file_has_section(&file, ".debug_line");
}

/* The file with the debug information; without any it is the module's own. */
static struct symbol_file file_with_info(const struct module *module)
{
	struct symbol_file file = own_file(module);

	return elf_file_has_section(&file, ".debug_info") || module->tables.debug.fd < 0
		       ? file
		       : module->tables.debug;
}

/* One that isn't on this host; whether it is in what was fetched. */
static bool fetch_file(const struct module *module, const char *build_id, struct symbol_file *file)
{
	struct debug_fetcher *fetcher = module->cache->fetcher;

	return fetcher && !debug_fetcher_get(fetcher, build_id, file);
}

static uint64_t fetched_arrivals(const struct module *module)
{
	return module->cache->fetcher ? debug_fetcher_arrivals(module->cache->fetcher) : 0;
}

/* Returns whether it is there, or none is needed. */
static bool search_debug_file(struct module *module, struct debug_file_wanted *wanted)
{
	if (module->tables.debug.fd >= 0 || !is_stripped(module))
		return true;
	wanted->file = own_file(module);
	wanted->build_id = module->layout.build_id;
	return !debug_file_open(wanted, &module->tables.debug) ||
	       fetch_file(module, wanted->build_id, &module->tables.debug);
}

/* The same. */
static bool search_supplement(struct module *module, struct debug_file_wanted *wanted)
{
	struct debug_supplement_link link;

	wanted->file = file_with_info(module);
	if (module->tables.supplement.fd >= 0 || debug_supplement_read_link(&wanted->file, &link))
		return true;
	return !debug_supplement_open(wanted, &link, &module->tables.supplement) ||
	       fetch_file(module, link.id, &module->tables.supplement);
}

/*
 * Those that aren't open. memwatch watches 64-bit processes: nobody asks for the names of others'
 * code.
 */
static void search_files(struct module *module)
{
	struct module_tables *tables = &module->tables;
	struct debug_file_wanted wanted = {
		.path = module->path,
		.root_fd = module->root_fd,
		.owner = module->identity.owner,
	};

	tables->is_searched = true;
	tables->searched_seconds = clock_monotonic_seconds();
	tables->searched_arrivals = fetched_arrivals(module);
	tables->is_complete = true;
	if (module->layout.word_bits == 64) {
		tables->is_complete = search_debug_file(module, &wanted);
		tables->is_complete &= search_supplement(module, &wanted);
	}
}

void module_search_again(struct module *module)
{
	struct module_tables *tables = &module->tables;
	bool has_debug = tables->debug.fd >= 0, has_supplement = tables->supplement.fd >= 0;

	if (!tables->is_searched || tables->is_complete ||
	    (tables->searched_seconds > 0 &&
	     tables->searched_arrivals == fetched_arrivals(module) &&
	     clock_monotonic_seconds() - tables->searched_seconds < SEARCH_AGAIN_SECONDS))
		return;
	search_files(module);
	if (has_debug != (tables->debug.fd >= 0) ||
	    has_supplement != (tables->supplement.fd >= 0)) {
		module_tables_clear(tables);
		search_files(module);
	}
}

void module_offer_root(struct module *module, int root_fd)
{
	int duplicate;

	pthread_mutex_lock(&module->lock);
	duplicate = module->tables.is_complete ? -1 : fcntl(root_fd, F_DUPFD_CLOEXEC, 0);
	if (duplicate >= 0) {
		if (module->root_fd >= 0)
			close(module->root_fd);
		module->root_fd = duplicate;
		module->tables.searched_seconds = 0;
	}
	pthread_mutex_unlock(&module->lock);
}

static const struct symbol_file *debug_file(struct module *module)
{
	if (!module->tables.is_searched)
		search_files(module);
	return &module->tables.debug;
}

/* What a stripped file keeps packed in itself is less than a debug file has. */
static void unpack_symbols(struct module *module)
{
	struct symbol_file file = own_file(module);

	if (module->tables.debug.fd < 0 && !elf_file_has_section(&file, ".symtab"))
		debug_data_unpack(&file, module->cache->bytes_max / UNPACKED_SHARE,
				  &module->tables.unpacked);
}

static int build_symbols(struct module *module)
{
	struct module_tables *tables = &module->tables;
	struct symbol_file files[SYMBOL_FILES_MAX] = {own_file(module), *debug_file(module)};

	close_file(&tables->unpacked);
	unpack_symbols(module);
	files[2] = tables->unpacked;
	return symbol_table_build(files, &module->layout,
				  module->cache->bytes_max / SYMBOLS_SHARE - tables->unpacked.bytes,
				  &tables->symbols);
}

/* The cache's copy of the demangled name. */
static const char *intern_function(struct module *module, const char *mangled)
{
	char *demangled = symbol_demangle(mangled);
	const char *function;

	if (!demangled)
		return NULL;
	function = module_cache_intern(module->cache, demangled);
	free(demangled);
	return function;
}

int module_find_function(struct module *module, uint64_t address, struct symbol_name *name)
{
	char mangled[SYMBOL_NAME_MAX_BYTES];
	uint64_t start;
	int error = 0;

	if (!module->tables.symbols)
		error = build_symbols(module);
	if (!error)
		error = symbol_table_find(module->tables.symbols, address, mangled, &start);
	if (error)
		return error;
	name->function = intern_function(module, mangled);
	name->function_offset = name->function ? address - start : 0;
	return 0;
}

static int build_lines(struct module *module)
{
	struct symbol_file file = own_file(module);

	if (!elf_file_has_section(&file, ".debug_line") && debug_file(module)->fd >= 0)
		file = module->tables.debug;
	return line_table_build(&file, &module->layout, module->cache->bytes_max / LINES_SHARE,
				&module->tables.lines);
}

int module_find_line(struct module *module, uint64_t address, struct symbol_name *name)
{
	const char *file;
	uint32_t line;
	int error = 0;

	if (module->layout.word_bits != 64)
		return -ENOENT;
	if (!module->tables.lines)
		error = build_lines(module);
	if (!error)
		error = line_table_find(module->tables.lines, address, &file, &line);
	if (error)
		return error;
	name->file = module_cache_intern(module->cache, file);
	name->line = name->file ? line : 0;
	return 0;
}

/* ---- Inlined functions ---- */

static int build_inlines(struct module *module)
{
	struct module_tables *tables = &module->tables;
	struct symbol_file file;

	debug_file(module);
	file = file_with_info(module);
	return inline_table_build(&file, &tables->supplement, &module->layout,
				  module->cache->bytes_max / INLINES_SHARE, &tables->inlines);
}

/* Gives a name the line of a place where it calls what was inlined. */
static void set_place(struct module *module, const struct inline_chain *chain,
		      const struct inline_place *place, struct symbol_name *name)
{
	const char *file = line_table_file(module->tables.lines, chain->line_unit, place->file);

	name->file = file && place->line ? module_cache_intern(module->cache, file) : NULL;
	name->line = name->file ? place->line : 0;
}

/*
 * From the innermost call outwards. One without a name is left out; what it is part of then gets
 * the line that calls it, so that each line lies in the function that it is shown with.
 */
static void add_calls(struct module *module, const struct inline_chain *chain,
		      struct symbol_frames *frames)
{
	const struct symbol_name whole = frames->names[0];
	struct symbol_name reached = {.file = whole.file, .line = whole.line};
	char function[SYMBOL_NAME_MAX_BYTES];

	frames->count = 0;
	for (size_t i = chain->count; i-- > 0;) {
		if (!inline_table_name(module->tables.inlines, chain->calls[i].origin, function))
			reached.function = intern_function(module, function);
		if (reached.function)
			frames->names[frames->count++] = reached;
		set_place(module, chain, i ? &chain->calls[i].place : &chain->outermost, &reached);
		reached.function = NULL;
	}
	reached.function = whole.function;
	reached.function_offset = whole.function_offset;
	/* Without a name for any of them, the line itself says more than that of a call. */
	frames->names[frames->count] = frames->count ? reached : whole;
	frames->count++;
}

void module_find_inlined(struct module *module, uint64_t address, struct symbol_frames *frames)
{
	struct inline_chain chain;

	if (!module->tables.lines || !frames->names[0].line)
		return;
	if (!module->tables.inlines && build_inlines(module))
		return;
	if (!inline_table_find(module->tables.inlines, address, &chain) && chain.count)
		add_calls(module, &chain, frames);
}
