/* SPDX-License-Identifier: Apache-2.0 */
/* The names already found in one module, by file offset. Used by one thread at a time. */
#ifndef MEMWATCH_SYMBOL_FRAME_TABLE_H
#define MEMWATCH_SYMBOL_FRAME_TABLE_H

#include "symbol/module.h"

struct frame_entry {
	uint64_t file_offset;
	struct symbol_name name;     /* the outermost; all empty: nothing is known */
	struct symbol_name *inlined; /* innermost first; owned, NULL when there are none */
	uint32_t inlined_count;
	bool is_used;
	bool is_complete; /* else the function alone was looked for so far */
};

struct frame_table {
	struct frame_entry *slots; /* open addressing */
	size_t slot_count;         /* a power of two, or 0 */
	size_t used;
	size_t inlined_count; /* of all entries */
};

/* Fills in the frames unless they are unknown, which is to say not in the table. */
enum symbol_state frame_table_find(const struct frame_table *table, uint64_t file_offset,
				   struct symbol_frames *frames);
/*
 * What is complete replaces what isn't; else the first to come stays. Out of memory only costs that
 * the names have to be looked up again.
 */
void frame_table_put(struct frame_table *table, uint64_t file_offset,
		     const struct symbol_frames *frames, enum symbol_state state);
void frame_table_clear(struct frame_table *table);
size_t frame_table_bytes(const struct frame_table *table);

#endif
