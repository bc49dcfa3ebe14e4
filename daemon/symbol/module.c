/* SPDX-License-Identifier: Apache-2.0 */
#include "symbol/module.h"

#include "symbol/debug_file.h"
#include "symbol/demangle.h"
#include "symbol/module_private.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * Shares of the cache's bytes for one module; half of them all is for names (module_cache.c). What
 * is left is for the frames.
 */
#define SYMBOLS_SHARE 4
#define LINES_SHARE   8

/* Where distributions put them. */
#define DEBUG_DIRECTORY "/usr/lib/debug"

const char *module_path(const struct module *module)
{
	return module->path;
}

const char *module_build_id(const struct module *module)
{
	return module->layout.build_id;
}

int module_word_bits(const struct module *module)
{
	return module->layout.word_bits;
}

int module_link_address(const struct module *module, uint64_t file_offset, uint64_t file_bytes,
			uint64_t *address)
{
	return elf_layout_mapping_address(&module->layout, file_offset, file_bytes, address);
}

int module_fd(const struct module *module)
{
	return module->fd;
}

void module_tables_clear_sources(struct module_tables *tables)
{
	symbol_table_free(tables->symbols);
	symbol_table_free(tables->debug_symbols);
	line_table_free(tables->lines);
	if (tables->companion.is_sought && tables->companion.fd >= 0)
		close(tables->companion.fd);
	tables->companion = (struct debug_companion){0};
	tables->symbols = tables->debug_symbols = NULL;
	tables->lines = NULL;
}

void module_tables_clear(struct module_tables *tables)
{
	module_tables_clear_sources(tables);
	frame_table_clear(&tables->frames);
}

size_t module_tables_bytes(const struct module_tables *tables)
{
	return (tables->companion.is_unpacked ? tables->companion.layout.file_bytes : 0) +
	       (tables->symbols ? symbol_table_bytes(tables->symbols) : 0) +
	       (tables->debug_symbols ? symbol_table_bytes(tables->debug_symbols) : 0) +
	       (tables->lines ? line_table_bytes(tables->lines) : 0) +
	       frame_table_bytes(&tables->frames);
}

/* ---- Debug files ---- */

/* What is packed into the file counts as a table: it is memory. */
static struct debug_companion *find_companion(struct module *module)
{
	struct debug_companion *companion = &module->tables.companion;
	struct stat status;

	if (companion->is_sought)
		return companion;
	companion->is_sought = true;
	companion->fd = debug_file_open(module->fd, &module->layout, module->path, DEBUG_DIRECTORY);
	if (companion->fd < 0) {
		companion->fd =
			debug_file_unpack(module->fd, module->cache->bytes_max / SYMBOLS_SHARE);
		companion->is_unpacked = companion->fd >= 0;
	}
	/* It describes the same addresses; its segments have no content, and say nothing. */
	companion->layout = module->layout;
	if (companion->fd >= 0 && !fstat(companion->fd, &status))
		companion->layout.file_bytes = (uint64_t)status.st_size;
	return companion;
}

/* ---- Names ---- */

static int find_symbol(const struct module *module, struct symbol_table **table, int fd,
		       const struct elf_layout *layout, uint64_t address,
		       char mangled[static SYMBOL_NAME_MAX_BYTES], uint64_t *start)
{
	int error = 0;

	if (!*table)
		error = symbol_table_build(fd, layout, module->cache->bytes_max / SYMBOLS_SHARE,
					   table);
	return error ? error : symbol_table_find(*table, fd, address, mangled, start);
}

static int find_function(struct module *module, uint64_t address, struct symbol_name *name)
{
	const struct debug_companion *companion = find_companion(module);
	char mangled[SYMBOL_NAME_MAX_BYTES];
	uint64_t start;
	char *demangled;
	int error = -ENOENT;

	/* It has all functions, or those that the file itself lacks. */
	if (companion->fd >= 0)
		error = find_symbol(module, &module->tables.debug_symbols, companion->fd,
				    &companion->layout, address, mangled, &start);
	if (error)
		error = find_symbol(module, &module->tables.symbols, module->fd, &module->layout,
				    address, mangled, &start);
	if (error)
		return error;
	demangled = symbol_demangle(mangled);
	if (!demangled)
		return -ENOMEM;
	name->function = module_cache_intern(module->cache, demangled);
	name->function_offset = name->function ? address - start : 0;
	free(demangled);
	return 0;
}

/* memwatch watches 64-bit processes; lines of 32-bit files are not read. */
static int find_line(struct module *module, uint64_t address, struct symbol_name *name)
{
	const struct debug_companion *companion = find_companion(module);
	bool is_separate = companion->fd >= 0 && !companion->is_unpacked;
	const struct elf_layout *layout = is_separate ? &companion->layout : &module->layout;
	int fd = is_separate ? companion->fd : module->fd;
	const char *file;
	uint32_t line;
	int error = 0;

	if (module->layout.word_bits != 64)
		return -ENOENT;
	if (!module->tables.lines)
		error = line_table_build(fd, layout, module->cache->bytes_max / LINES_SHARE,
					 &module->tables.lines);
	if (!error)
		error = line_table_find(module->tables.lines, fd, address, &file, &line);
	if (error)
		return error;
	name->file = module_cache_intern(module->cache, file);
	name->line = name->file ? line : 0;
	return 0;
}

/* One of the two may fail and the other still be worth having. */
static struct symbol_name find_names(struct module *module, uint64_t file_offset)
{
	struct symbol_name name = {0};
	uint64_t address;

	if (!elf_layout_address(&module->layout, file_offset, &address)) {
		find_function(module, address, &name);
		find_line(module, address, &name);
	}
	return name;
}

int module_symbolize(struct module *module, uint64_t file_offset, struct symbol_name *name)
{
	const struct symbol_name *known;
	struct symbol_name found;
	size_t tables_bytes;

	pthread_mutex_lock(&module->lock);
	known = frame_table_find(&module->tables.frames, file_offset);
	if (known) {
		found = *known;
	} else {
		found = find_names(module, file_offset);
		frame_table_put(&module->tables.frames, file_offset, &found);
	}
	tables_bytes = module_tables_bytes(&module->tables);
	pthread_mutex_unlock(&module->lock);

	module_cache_account(module, tables_bytes);
	if (!found.function && !found.file)
		return -ENOENT;
	*name = found;
	return 0;
}
