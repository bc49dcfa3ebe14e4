/* SPDX-License-Identifier: Apache-2.0 */
/* Which unit of a file's debug information covers an address. */
#ifndef MEMWATCH_SYMBOL_UNIT_RANGES_H
#define MEMWATCH_SYMBOL_UNIT_RANGES_H

#include "symbol/elf_file.h"

struct unit_range {
	uint64_t start;
	uint32_t bytes;
	uint32_t unit; /* a number that the owner gives */
};

/* Zeroed with a count_max, it is empty. */
struct unit_ranges {
	struct unit_range *items; /* by start, once sorted */
	size_t count, capacity, count_max;
};

/*
 * Adds code from start to end (exclusive). What lies outside of the layout's code, or is one too
 * many, is left out. Returns 0 or -ENOMEM.
 */
int unit_ranges_add(struct unit_ranges *ranges, const struct elf_layout *layout, uint64_t start,
		    uint64_t end, uint32_t unit);
/* To be called once all are added. */
void unit_ranges_sort(struct unit_ranges *ranges);
/* The range that starts last of those that cover an address, or NULL. */
const struct unit_range *unit_ranges_find(const struct unit_ranges *ranges, uint64_t address);
void unit_ranges_clear(struct unit_ranges *ranges);

#endif
