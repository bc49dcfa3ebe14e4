/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The functions of one module, from the .symtab and .dynsym of its file and of those that complete
 * it, as a sorted table of 16 bytes each. Names stay in the files and are read when asked for. A
 * table never changes once built.
 */
#ifndef MEMWATCH_SYMBOL_SYMBOL_TABLE_H
#define MEMWATCH_SYMBOL_SYMBOL_TABLE_H

#include "symbol/elf_file.h"

struct symbol_table;

/* The module's own file comes first; the .symtab of the others is all that is wanted of them. */
#define SYMBOL_FILES_MAX 3

#define SYMBOL_NAME_MAX_BYTES 4096 /* longer names are cut and end in an ellipsis */

/*
 * The files stay open, and layout is that of the module's own. Functions that would take more than
 * bytes_max are left out. A damaged file gives what could be read of it, possibly an empty table,
 * so that it isn't read again and again. Returns 0 or -ENOMEM.
 */
int symbol_table_build(const struct symbol_file files[static SYMBOL_FILES_MAX],
		       const struct elf_layout *layout, size_t bytes_max,
		       struct symbol_table **table);
void symbol_table_free(struct symbol_table *table);
size_t symbol_table_bytes(const struct symbol_table *table);

/*
 * The function that covers an address: its name as the file has it, and where it starts. Returns 0,
 * -ENOENT when no function covers it, other -errno.
 */
int symbol_table_find(const struct symbol_table *table, uint64_t address,
		      char name[static SYMBOL_NAME_MAX_BYTES], uint64_t *start);

#endif
