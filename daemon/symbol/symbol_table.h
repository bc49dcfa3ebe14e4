/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The functions of one ELF file, from .symtab and .dynsym, as a sorted table of 16 bytes each.
 * Names stay in the file and are read when asked for. A table never changes once built.
 */
#ifndef MEMWATCH_SYMBOL_SYMBOL_TABLE_H
#define MEMWATCH_SYMBOL_SYMBOL_TABLE_H

#include "symbol/elf_file.h"

struct symbol_table;

#define SYMBOL_NAME_MAX_BYTES 4096 /* longer names are cut and end in an ellipsis */

/*
 * Functions that would take more than bytes_max are left out. A damaged file gives what could be
 * read of it, possibly an empty table, so that it isn't read again and again. Returns 0 or -ENOMEM.
 */
int symbol_table_build(int fd, const struct elf_layout *layout, size_t bytes_max,
		       struct symbol_table **table);
void symbol_table_free(struct symbol_table *table);
size_t symbol_table_bytes(const struct symbol_table *table);

/*
 * The function that covers an address: its name as the file has it, and where it starts. fd is the
 * file that the table was built from. Returns 0, -ENOENT when no function covers it, other -errno.
 */
int symbol_table_find(const struct symbol_table *table, int fd, uint64_t address,
		      char name[static SYMBOL_NAME_MAX_BYTES], uint64_t *start);

#endif
