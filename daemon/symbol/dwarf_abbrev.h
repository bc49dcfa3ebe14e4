/* SPDX-License-Identifier: Apache-2.0 */
/* The abbreviations of one unit: which attributes its entries have, and in what form. */
#ifndef MEMWATCH_SYMBOL_DWARF_ABBREV_H
#define MEMWATCH_SYMBOL_DWARF_ABBREV_H

#include "symbol/dwarf_unit.h"

struct dwarf_abbrev_spec {
	uint32_t name, form;
	int64_t constant; /* of DW_FORM_implicit_const */
};

struct dwarf_abbrev {
	uint64_t code;
	uint32_t tag;
	bool has_children;
	uint32_t spec_count;
	struct dwarf_abbrev_spec *specs; /* in one array behind the abbreviations */
};

/* Read them into the unit: the one with this code, or all. 0, -EINVAL, -EFBIG, other -errno. */
int dwarf_abbrev_read_one(const struct dwarf_sections *sections, struct dwarf_unit *unit,
			  uint64_t code);
int dwarf_abbrev_read_all(const struct dwarf_sections *sections, struct dwarf_unit *unit);

/* NULL: the unit has none with this code. */
const struct dwarf_abbrev *dwarf_abbrev_find(const struct dwarf_unit *unit, uint64_t code);

#endif
