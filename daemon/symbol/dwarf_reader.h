/* SPDX-License-Identifier: Apache-2.0 */
/* Reads little-endian DWARF out of memory, never past its end: what isn't there reads as zero. */
#ifndef MEMWATCH_SYMBOL_DWARF_READER_H
#define MEMWATCH_SYMBOL_DWARF_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dwarf_reader {
	const unsigned char *next, *end;
	bool has_failed; /* something was to be read that isn't there; nothing can be read any more
			  */
};

struct dwarf_reader dwarf_reader_new(const void *bytes, size_t size);
/* An unsigned number of up to 8 bytes. */
uint64_t dwarf_read_uint(struct dwarf_reader *reader, size_t bytes);
/* LEB128; bits beyond 64 are dropped. */
uint64_t dwarf_read_uleb(struct dwarf_reader *reader);
int64_t dwarf_read_sleb(struct dwarf_reader *reader);
/* A string that ends in a zero; "" on failure. Borrowed from the bytes. */
const char *dwarf_read_text(struct dwarf_reader *reader);
void dwarf_skip(struct dwarf_reader *reader, uint64_t bytes);
/* The length that begins a unit, and whether it is of 64-bit DWARF: 4 or 8 bytes for an offset. */
uint64_t dwarf_read_length(struct dwarf_reader *reader, unsigned int *offset_bytes);

#endif
