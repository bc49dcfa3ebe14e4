/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The code objects that were read, by process and address, so that each is read once. Bounded: when
 * there are too many, all are forgotten, and those still in use are read again.
 *
 * Used by one thread at a time.
 */
#ifndef MEMWATCH_PYTHON_CODE_TABLE_H
#define MEMWATCH_PYTHON_CODE_TABLE_H

#include "python/code.h"

struct code_table;

enum code_found {
	CODE_KNOWN,      /* read before, and still there */
	CODE_NEW,        /* read now */
	CODE_REPLACED,   /* read now, where another one was before */
	CODE_UNREADABLE, /* none is there */
	CODE_ABSENT,     /* its memory isn't there at the moment: it may be soon */
};

/* NULL when out of memory. */
struct code_table *code_table_new(void);
void code_table_free(struct code_table *table);

/*
 * The code object at an address of the process that has this account; held, NULL: unreadable. What
 * was read before is believed only if it still is there.
 */
struct python_code *code_table_find(struct code_table *table, uint32_t account,
				    const struct python_layout *layout,
				    const struct python_memory *memory, uint64_t address,
				    enum code_found *found);

#endif
