/* SPDX-License-Identifier: Apache-2.0 */
/* What attributes of .debug_info refer to in other sections: strings, addresses, lists of ranges.
 */
#ifndef MEMWATCH_SYMBOL_DWARF_LOOKUP_H
#define MEMWATCH_SYMBOL_DWARF_LOOKUP_H

#include "symbol/dwarf_unit.h"
#include "symbol/symbol_table.h"

/* The string of an attribute, cut when it is too long. 0 or -ENOENT. */
int dwarf_lookup_string(const struct dwarf_sections *sections, const struct dwarf_unit *unit,
			const struct dwarf_value *value, char text[static SYMBOL_NAME_MAX_BYTES]);

/* The address of an attribute. 0 or -ENOENT. */
int dwarf_lookup_address(const struct dwarf_sections *sections, const struct dwarf_unit *unit,
			 const struct dwarf_value *value, uint64_t *address);

/* Handles one range (end exclusive) and says whether to go on. */
typedef bool dwarf_range_handler(void *context, uint64_t start, uint64_t end);

/*
 * The ranges of an entry's code, one after the other, as long as range_reads_left lasts: many
 * entries may refer to one long list.
 */
void dwarf_lookup_ranges(struct dwarf_sections *sections, const struct dwarf_unit *unit,
			 const struct dwarf_die *die, dwarf_range_handler *handle, void *context);

#endif
