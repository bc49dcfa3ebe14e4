/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Finds the unwind rule for a code address: the process's range that holds it, the range's page,
 * the page's row. What was found is remembered by address, so that a warm stack takes one look for
 * each frame.
 *
 * Searches keep their position in memory, not in a register: the verifier would follow every way
 * through a search on its own.
 */
#ifndef MEMWATCH_UNWIND_TABLE_H
#define MEMWATCH_UNWIND_TABLE_H

#include "thread.h"

/* Sizes, not types: the compiler leaves out the definition of what only a type of a map names. */
struct unwind_space_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct record_unwind_space));
};

/* By slot. Each is a map of its own, made by the daemon and replaced as a whole. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, __u32);
	__array(values, struct unwind_space_map);
} unwind_spaces SEC(".maps") __weak;

struct unwind_chunk_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct record_unwind_chunk));
};

/* Rows, in chunks made by the daemon as they are needed, within its unwind_tables bound. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, RECORD_UNWIND_CHUNKS_MAX);
	__type(key, __u32);
	__array(values, struct unwind_chunk_map);
} unwind_chunks SEC(".maps") __weak;

/* Pages of all modules. Written by the daemon. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, RECORD_UNWIND_PAGES_MAX);
	__type(key, __u32);
	__type(value, struct record_unwind_page);
} unwind_pages SEC(".maps") __weak;

/* Rules of all modules. Written by the daemon. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, RECORD_UNWIND_RULES_MAX);
	__type(key, __u32);
	__type(value, struct record_unwind_rule);
} unwind_rules SEC(".maps") __weak;

#define CACHE_INDEX_BITS 16
#define CACHE_INDEX_MASK ((1U << CACHE_INDEX_BITS) - 1)
/* Code of user space lies below. */
#define ADDRESS_BITS 47

/*
 * Rules by address and serial. Address and serial are 64 bits, mixed in a way that loses none: 16
 * choose the entry, the other 48 stand in it above the rule. So an entry is either the very one or
 * another's, and is read and written at once. 0: empty.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1U << CACHE_INDEX_BITS);
	__type(key, __u32);
	__type(value, __u64);
} unwind_cache SEC(".maps") __weak;

/*
 * Sets walk->position to the last range that begins at or below the address, if there is one. The
 * steps are halved from half the table down: any number of ranges takes as many.
 */
static __always_inline void unwind_search_range(struct unwind_walk *walk,
						const struct record_unwind_space *space)
{
	volatile __u32 *position = &walk->position;

	*position = 0;
	for (__u32 step = RECORD_UNWIND_RANGES_MAX / 2; step > 0; step /= 2) {
		__u32 next = *position + step;

		if (next < space->range_count &&
		    space->ranges[next & (RECORD_UNWIND_RANGES_MAX - 1)].start <= walk->address)
			*position = next;
	}
}

/* The same for the row, within the page; its first one begins at 0. */
static __always_inline void unwind_search_row(struct unwind_walk *walk,
					      const struct record_unwind_chunk *chunk,
					      const struct record_unwind_page *page,
					      __u32 low_address)
{
	volatile __u32 *position = &walk->position;
	__u32 row_count = page->row_count, first_row = page->first_row;

	*position = 0;
	for (__u32 step = RECORD_UNWIND_CHUNK_ROWS / 2; step > 0; step /= 2) {
		__u32 next = *position + step;

		if (next < row_count &&
		    chunk->rows[(first_row + next) & (RECORD_UNWIND_CHUNK_ROWS - 1)].low_address <=
			    low_address)
			*position = next;
	}
	*position += first_row;
}

/* The rule by the range's tables, 0 when they have none. */
static __always_inline __u32 unwind_rule_of_range(struct unwind_walk *walk,
						  const struct record_unwind_range *range)
{
	__u64 offset = walk->address - range->bias;
	__u64 page_index = offset >> RECORD_UNWIND_PAGE_SHIFT;
	const struct record_unwind_chunk *chunk;
	const struct record_unwind_page *page;
	__u32 index, zero = 0;
	void *chunk_map;

	if (!range->page_count)
		return range->first_page;
	if (page_index >= range->page_count)
		return 0;
	index = range->first_page + page_index;
	page = bpf_map_lookup_elem(&unwind_pages, &index);
	if (!page || !page->row_count)
		return 0;
	index = page->chunk;
	chunk_map = bpf_map_lookup_elem(&unwind_chunks, &index);
	chunk = chunk_map ? bpf_map_lookup_elem(chunk_map, &zero) : NULL;
	if (!chunk)
		return 0;
	unwind_search_row(walk, chunk, page, offset & ((1U << RECORD_UNWIND_PAGE_SHIFT) - 1));
	return chunk->rows[walk->position & (RECORD_UNWIND_CHUNK_ROWS - 1)].rule;
}

/*
 * Searches walk->rule for walk->address. Sets walk->end to why there is none, else leaves it.
 * Returns whether that may be remembered.
 */
__weak __noinline int unwind_search(struct unwind_walk *walk)
{
	const struct record_unwind_range *range;
	const struct record_unwind_space *space;
	void *space_map;
	__u32 zero = 0, slot;

	if (!walk)
		return 0;
	walk->rule = 0;
	slot = walk->slot; /* before 6.2 a key has to be on the stack */
	space_map = bpf_map_lookup_elem(&unwind_spaces, &slot);
	space = space_map ? bpf_map_lookup_elem(space_map, &zero) : NULL;
	if (!space)
		return 0;
	unwind_search_range(walk, space);
	range = &space->ranges[walk->position & (RECORD_UNWIND_RANGES_MAX - 1)];
	if (walk->address < range->start || walk->address >= range->end ||
	    walk->position >= space->range_count) {
		walk->end = RECORD_STACK_END_UNKNOWN_CODE;
		return 0;
	}
	walk->rule = unwind_rule_of_range(walk, range);
	if (walk->rule)
		return 1;
	walk->end = RECORD_STACK_END_NO_TABLE;
	return 0;
}

/*
 * Sets walk->rule for walk->address, or to 0 and walk->end to the reason. Rules of 0 are searched
 * each time: they are few, and their reason would have to be remembered as well.
 */
static __always_inline void unwind_find(struct unwind_walk *walk)
{
	__u64 mixed = (walk->address | walk->serial << ADDRESS_BITS) * 0x9e3779b97f4a7c15ULL;
	__u64 entry, *cached;
	__u32 index;

	walk->rule = 0;
	if (!walk->serial) {
		walk->end = RECORD_STACK_END_PENDING;
		return;
	}
	if (walk->address >> ADDRESS_BITS) {
		walk->end = RECORD_STACK_END_CORRUPT;
		return;
	}
	mixed ^= mixed >> 32;
	index = mixed & CACHE_INDEX_MASK;
	cached = bpf_map_lookup_elem(&unwind_cache, &index);
	if (!cached)
		return;
	entry = *(volatile __u64 *)cached;
	if (entry && (entry ^ mixed) >> CACHE_INDEX_BITS == 0) {
		walk->rule = entry & CACHE_INDEX_MASK;
		return;
	}
	if (unwind_search(walk))
		*(volatile __u64 *)cached = (mixed & ~(__u64)CACHE_INDEX_MASK) | walk->rule;
}

#endif
