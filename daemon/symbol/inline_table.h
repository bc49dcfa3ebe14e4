/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where compilers inlined functions, from .debug_info: an index that says which unit has an
 * address, and the units read last. Used by one thread at a time.
 */
#ifndef MEMWATCH_SYMBOL_INLINE_TABLE_H
#define MEMWATCH_SYMBOL_INLINE_TABLE_H

#include "symbol/elf_file.h"
#include "symbol/symbol_table.h"

#define INLINE_DEPTH_MAX 16 /* of deeper ones the innermost are kept */

struct inline_table;

/* A place in the source: the file by its number in the line unit. */
struct inline_place {
	uint64_t file;
	uint32_t line; /* 0: unknown */
};

/* An entry of .debug_info, of the file itself or of its supplementary file. */
struct inline_origin {
	uint64_t offset; /* UINT64_MAX: it isn't known */
	bool is_in_supplement;
};

/* A function that was inlined, and the place that calls it. */
struct inline_call {
	struct inline_origin origin; /* the function */
	struct inline_place place;
};

struct inline_chain {
	uint64_t line_unit; /* offset in .debug_line: what the places' files belong to */
	size_t count;
	struct inline_call calls[INLINE_DEPTH_MAX]; /* outermost first */
	/* Where the function that has code of its own goes over to the first of all calls. */
	struct inline_place outermost;
};

/*
 * layout is that of the module's own file, which the debug information needn't be in; supplement is
 * the file that it shares with others, or has a descriptor of -1. Both stay open. A quarter of
 * bytes_max is for the index, half for units that are kept, and twice bytes_max for sections that
 * must be inflated; with a supplementary file as much again for that. A damaged file gives what
 * could be read of it, and so does one that is cancelled, by any thread, meanwhile. 0 or -ENOMEM.
 */
int inline_table_build(const struct symbol_file *file, const struct symbol_file *supplement,
		       const struct elf_layout *layout, size_t bytes_max, const bool *is_cancelled,
		       struct inline_table **table);
void inline_table_free(struct inline_table *table);
size_t inline_table_bytes(const struct inline_table *table);

/* What was inlined around an address. 0 (chain->count may be 0), or -ENOENT: no unit has it. */
int inline_table_find(struct inline_table *table, uint64_t address, struct inline_chain *chain);
/* The name of a function, as symbols have it (mangled) where that is known. 0 or -ENOENT. */
int inline_table_name(struct inline_table *table, struct inline_origin origin,
		      char name[static SYMBOL_NAME_MAX_BYTES]);

#endif
