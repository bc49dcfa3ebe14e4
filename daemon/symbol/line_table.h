/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Source lines of one module, from .debug_line alone: an index that says which unit has an
 * address, and the units decoded last. Units before DWARF 5 name files relative to the compilation
 * directory, which is written elsewhere; such names stay relative. Used by one thread at a time.
 */
#ifndef MEMWATCH_SYMBOL_LINE_TABLE_H
#define MEMWATCH_SYMBOL_LINE_TABLE_H

#include "symbol/elf_file.h"

struct line_table;

/*
 * layout is that of the module's own file, which the lines needn't be in; the file stays open. Half
 * of bytes_max is for the index, half for decoded units; where sections are compressed, four
 * times as much is for their inflated copies. A damaged file gives what could be
 * read of it, possibly an empty table, so that it isn't read again and again. So does one that is
 * cancelled, by any thread, meanwhile. Returns 0 or -ENOMEM.
 */
int line_table_build(const struct symbol_file *file, const struct elf_layout *layout,
		     size_t bytes_max, const bool *is_cancelled, struct line_table **table);
void line_table_free(struct line_table *table);
size_t line_table_bytes(const struct line_table *table);

/*
 * The source line of the code at an address. *file is borrowed until the table is used next.
 * Returns 0, -ENOENT when it is unknown, other -errno.
 */
int line_table_find(struct line_table *table, uint64_t address, const char **file, uint32_t *line);
/*
 * The name of a file of the unit at an offset of .debug_line, by the number that .debug_info has
 * for it; NULL: unknown. Borrowed until the table is used next.
 */
const char *line_table_file(struct line_table *table, uint64_t unit_offset, uint64_t file);

#endif
