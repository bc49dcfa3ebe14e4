/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The unwind tables in the kernel's maps, where the walker in BPF searches them
 * (bpf/unwind_table.h): the rows of all modules in chunks, their pages, their rules (equal ones
 * once), and for each target what it has mapped where.
 *
 * Threads: used by one thread at a time; the last two functions by any.
 */
#ifndef MEMWATCH_UNWIND_STORE_H
#define MEMWATCH_UNWIND_STORE_H

#include "unwind/table.h"

#include <stdbool.h>

/* Descriptors of the walker's maps, borrowed. */
struct unwind_store_maps {
	int spaces_fd, chunks_fd, pages_fd, rules_fd;
};

struct unwind_store;
struct unwind_placed; /* a table that lies in the maps */

/* bytes_max bounds the memory that chunks take in the kernel. NULL when out of memory. */
struct unwind_store *unwind_store_new(const struct unwind_store_maps *maps, uint64_t bytes_max);
void unwind_store_free(struct unwind_store *store);

/*
 * Copies a table into the maps. Returns 0 and *placed, to be given back; -ENOSPC when there is no
 * room within bytes_max or the maps: then others have to go first; -E2BIG when there never will be;
 * other -errno.
 */
int unwind_store_place(struct unwind_store *store, const struct unwind_table *table,
		       struct unwind_placed **placed);
/* Takes it out. No space may refer to it any more. NULL is fine. */
void unwind_store_remove(struct unwind_store *store, struct unwind_placed *placed);
/* Its memory in the kernel, to which it contributes where a chunk is shared. */
uint64_t unwind_placed_bytes(const struct unwind_placed *placed);

/*
 * The range of code mapped at [start, end) whose first byte is linked at link_address. placed NULL:
 * code without tables.
 */
struct record_unwind_range unwind_placed_range(const struct unwind_placed *placed, uint64_t start,
					       uint64_t end, uint64_t link_address);

/* Whether it is of a runtime that makes code, whose frames are known without tables. */
bool unwind_placed_makes_code(const struct unwind_placed *placed);
/* The range of such code at [start, end). */
struct record_unwind_range unwind_placed_made_range(const struct unwind_placed *placed,
						    uint64_t start, uint64_t end);

/* What one target has mapped; count entries, sorted by start, at most RECORD_UNWIND_RANGES_MAX. */
struct unwind_space_update {
	uint32_t slot;
	const struct record_unwind_range *ranges;
	size_t range_count;
	int error; /* out: 0 or -errno; the target keeps what it had */
};

/*
 * Lets the walker see the tables placed until now, then replaces the ranges of several targets,
 * each at once. When it returns no walk uses what they had before; that takes the kernel some
 * milliseconds, however many there are.
 */
void unwind_store_update_spaces(struct unwind_store *store, struct unwind_space_update *updates,
				size_t count);
/* The target's slot has none any more. */
void unwind_store_clear_space(struct unwind_store *store, uint32_t slot);

/* Memory in the kernel: of the tables, which is within the bound, and of the targets' ranges. */
uint64_t unwind_store_table_bytes(const struct unwind_store *store);
uint64_t unwind_store_space_bytes(const struct unwind_store *store);

#endif
