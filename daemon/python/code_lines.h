/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The line tables of code objects: which line an instruction belongs to. Pure; the tables are
 * hostile, and read within their bounds.
 */
#ifndef MEMWATCH_PYTHON_CODE_LINES_H
#define MEMWATCH_PYTHON_CODE_LINES_H

#include "python/layout.h"

#include <stddef.h>

struct code_lines {
	enum python_line_table kind;
	uint32_t first_line;
	const uint8_t *table; /* borrowed */
	size_t bytes;
};

/*
 * The line of the instruction at a byte offset, which may be that of one of its cache entries. 0:
 * the table names none for it. Time is linear in the table's size.
 */
uint32_t code_lines_find(const struct code_lines *lines, uint32_t offset_bytes);

#endif
