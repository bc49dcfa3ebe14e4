/* SPDX-License-Identifier: Apache-2.0 */
/* What building a table of inlined functions and searching it share. */
#ifndef MEMWATCH_SYMBOL_INLINE_TABLE_PRIVATE_H
#define MEMWATCH_SYMBOL_INLINE_TABLE_PRIVATE_H

#include "symbol/dwarf_unit.h"
#include "symbol/inline_table.h"
#include "symbol/unit_ranges.h"

#define UNITS_KEPT_MAX 4

struct kept_unit {
	struct dwarf_unit unit;
	uint64_t last_used;
};

struct inline_table {
	struct dwarf_sections sections;
	struct unit_ranges ranges;
	uint64_t *units; /* offsets in .debug_info, ascending */
	size_t unit_count, unit_capacity;
	struct kept_unit kept[UNITS_KEPT_MAX];
	size_t kept_count, kept_bytes, kept_max;
	uint64_t uses;
	double spent_seconds;
	struct inline_table *supplement; /* owned; NULL: there is none */
};

/* The unit at an offset of .debug_info. Borrowed until the next is wanted. NULL: it can't be read.
 */
const struct dwarf_unit *inline_table_unit(struct inline_table *table, uint64_t offset);
/* The same for the unit that an offset lies in. */
const struct dwarf_unit *inline_table_unit_of(struct inline_table *table, uint64_t offset);
/* Forgets units that are more than may be kept between two searches, the longest unused first. */
void inline_table_trim(struct inline_table *table);

#endif
