/* SPDX-License-Identifier: Apache-2.0 */
/* A module's names, from tables of its file and of the files that complete it. */
#include "symbol/debug_data.h"
#include "symbol/demangle.h"
#include "symbol/module_private.h"

#include <errno.h>
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

void module_tables_clear(struct module_tables *tables)
{
	symbol_table_free(tables->symbols);
	line_table_free(tables->lines);
	inline_table_free(tables->inlines);
	tables->symbols = NULL;
	tables->lines = NULL;
	tables->inlines = NULL;
	close_file(&tables->unpacked);
}

void module_tables_close(struct module_tables *tables)
{
	module_tables_clear(tables);
	close_file(&tables->debug);
	close_file(&tables->supplement);
}

size_t module_tables_bytes(const struct module_tables *tables)
{
	return (tables->symbols ? symbol_table_bytes(tables->symbols) : 0) +
	       (tables->lines ? line_table_bytes(tables->lines) : 0) +
	       (tables->inlines ? inline_table_bytes(tables->inlines) : 0) +
	       (size_t)tables->unpacked.bytes;
}

/* What a stripped file keeps packed in itself is less than a debug file has. */
static void unpack_symbols(struct module *module)
{
	struct symbol_file file = module_own_file(module);

	if (module->tables.debug.fd < 0 && !elf_file_has_section(&file, ".symtab"))
		debug_data_unpack(&file, module->cache->bytes_max / UNPACKED_SHARE,
				  &module->tables.unpacked);
}

static int build_symbols(struct module *module)
{
	struct module_tables *tables = &module->tables;
	struct symbol_file files[SYMBOL_FILES_MAX] = {module_own_file(module)};

	module_search_files(module);
	close_file(&tables->unpacked);
	unpack_symbols(module);
	files[1] = tables->debug;
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
	struct symbol_file file;

	module_search_files(module);
	file = module_file_with(module, ".debug_line");
	return line_table_build(&file, &module->layout, module->cache->bytes_max / LINES_SHARE,
				&module->cache->is_cancelled, &module->tables.lines);
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

	module_search_files(module);
	file = module_file_with(module, ".debug_info");
	return inline_table_build(&file, &tables->supplement, &module->layout,
				  module->cache->bytes_max / INLINES_SHARE,
				  &module->cache->is_cancelled, &tables->inlines);
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
