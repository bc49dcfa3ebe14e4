/* SPDX-License-Identifier: Apache-2.0 */
/* See CPython's Objects/lnotab_notes.txt (to 3.10) and Objects/locations.md (from 3.11). */
#include "python/code_lines.h"

#include <stdbool.h>

/* Of a location table. */
#define ENTRY_START        0x80 /* set in the first byte of an entry, and in no other */
#define CODE_ONE_LINE_0    10   /* the line moves by 0, 1 or 2: code - CODE_ONE_LINE_0 */
#define CODE_ONE_LINE_2    12
#define CODE_NO_COLUMNS    13
#define CODE_LONG          14
#define CODE_NONE          15
#define UNIT_BYTES         2
#define RANGE_WITHOUT_LINE (-128)

/* Lines are positive ints in CPython; what a broken table makes of them is no line. */
static uint32_t checked_line(int64_t line)
{
	return line > 0 && line <= INT32_MAX ? (uint32_t)line : 0;
}

/* co_lnotab: pairs of an advance in bytes (unsigned) and one in lines (signed). */
static uint32_t find_in_number_table(const struct code_lines *lines, uint32_t offset)
{
	int64_t line = lines->first_line;
	uint64_t address = 0;

	for (size_t at = 0; at + 1 < lines->bytes; at += 2) {
		address += lines->table[at];
		if (address > offset)
			break;
		line += (int8_t)lines->table[at + 1];
	}
	return checked_line(line);
}

/* Pairs of a range's length in bytes and of the advance in lines that comes before it. */
static uint32_t find_in_range_table(const struct code_lines *lines, uint32_t offset)
{
	int64_t line = lines->first_line;
	uint64_t end = 0;

	for (size_t at = 0; at + 1 < lines->bytes; at += 2) {
		int8_t advance = (int8_t)lines->table[at + 1];

		end += lines->table[at];
		if (advance != RANGE_WITHOUT_LINE)
			line += advance;
		if (end > offset)
			return advance == RANGE_WITHOUT_LINE ? 0 : checked_line(line);
	}
	return 0;
}

/* Six bits a byte, the lowest first; bit 6 says that more follow. Cut off after 32 bits. */
static uint32_t read_varint(const struct code_lines *lines, size_t at)
{
	uint64_t value = 0;

	for (unsigned int shift = 0; at < lines->bytes && shift < 36; shift += 6, at++) {
		value |= (uint64_t)(lines->table[at] & 0x3f) << shift;
		if (!(lines->table[at] & 0x40))
			break;
	}
	return (uint32_t)value;
}

/* The lowest bit is the sign. */
static int64_t read_signed_varint(const struct code_lines *lines, size_t at)
{
	uint32_t value = read_varint(lines, at);

	return value & 1 ? -(int64_t)(value >> 1) : (int64_t)(value >> 1);
}

static int64_t entry_advance(const struct code_lines *lines, size_t at, unsigned int code)
{
	if (code == CODE_NO_COLUMNS || code == CODE_LONG)
		return read_signed_varint(lines, at + 1);
	if (code >= CODE_ONE_LINE_0 && code <= CODE_ONE_LINE_2)
		return code - CODE_ONE_LINE_0;
	return 0;
}

static uint32_t find_in_location_table(const struct code_lines *lines, uint32_t offset)
{
	int64_t line = lines->first_line;
	uint64_t end = 0;
	size_t at = 0;

	while (at < lines->bytes) {
		uint8_t first = lines->table[at];
		unsigned int code = first >> 3 & 15;

		end += ((uint64_t)(first & 7U) + 1) * UNIT_BYTES;
		line += entry_advance(lines, at, code);
		if (end > offset)
			return code == CODE_NONE ? 0 : checked_line(line);
		do
			at++;
		while (at < lines->bytes && !(lines->table[at] & ENTRY_START));
	}
	return 0;
}

uint32_t code_lines_find(const struct code_lines *lines, uint32_t offset_bytes)
{
	switch (lines->kind) {
	case PYTHON_LINES_NUMBER_TABLE:
		return find_in_number_table(lines, offset_bytes);
	case PYTHON_LINES_RANGE_TABLE:
		return find_in_range_table(lines, offset_bytes);
	case PYTHON_LINES_LOCATION_TABLE:
		return find_in_location_table(lines, offset_bytes);
	}
	return 0;
}
