/* SPDX-License-Identifier: Apache-2.0 */
/* The names already found in one module, by file offset. Used by one thread at a time. */
#ifndef MEMWATCH_SYMBOL_FRAME_TABLE_H
#define MEMWATCH_SYMBOL_FRAME_TABLE_H

#include "symbol/module.h"

struct frame_entry {
	uint64_t file_offset;
	bool is_used;
	struct symbol_name name; /* all empty: nothing is known, and that is known */
};

struct frame_table {
	struct frame_entry *slots; /* open addressing */
	size_t slot_count;         /* a power of two, or 0 */
	size_t used;
};

const struct symbol_name *frame_table_find(const struct frame_table *table, uint64_t file_offset);
/* Out of memory only costs that the name has to be looked up again. */
void frame_table_put(struct frame_table *table, uint64_t file_offset,
		     const struct symbol_name *name);
void frame_table_clear(struct frame_table *table);
size_t frame_table_bytes(const struct frame_table *table);

#endif
