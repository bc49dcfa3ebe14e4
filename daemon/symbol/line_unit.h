/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One unit of .debug_line, decoded by libdw: which addresses belong to which source line. libdw
 * gets a small ELF image in memory that holds this unit alone, so that it costs what the unit
 * costs, not what the file's debug information does.
 */
#ifndef MEMWATCH_SYMBOL_LINE_UNIT_H
#define MEMWATCH_SYMBOL_LINE_UNIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct line_row {
	uint64_t address;
	uint32_t line; /* 0: unknown */
	uint32_t file : 31;
	uint32_t is_end : 1; /* of a sequence: the address is the first one after it */
};
_Static_assert(sizeof(struct line_row) == 16, "a unit has one for every line of code");

struct line_unit {
	struct line_row *rows; /* by address */
	size_t row_count;
	char **files; /* indexed by row.file; an entry may be NULL */
	size_t file_count;
	size_t bytes; /* of all of this */
};

/*
 * Decodes a 64-bit unit (its header included). strings is .debug_line_str, which DWARF 5 units
 * refer to. Returns 0, -EINVAL when it is malformed, -ENOMEM.
 */
int line_unit_decode(const void *unit, size_t unit_bytes, const void *strings, size_t strings_bytes,
		     struct line_unit **result);
void line_unit_free(struct line_unit *unit);

/* The row that covers an address, or NULL. */
const struct line_row *line_unit_find(const struct line_unit *unit, uint64_t address);

#endif
