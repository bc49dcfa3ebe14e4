/* SPDX-License-Identifier: Apache-2.0 */
#include "symbol/dwarf_reader.h"

#include <string.h>

#define LENGTH_WIDE     0xffffffff
#define LENGTH_RESERVED 0xfffffff0

struct dwarf_reader dwarf_reader_new(const void *bytes, size_t size)
{
	const unsigned char *next = bytes;

	return (struct dwarf_reader){.next = next, .end = next + size};
}

static bool has(struct dwarf_reader *reader, uint64_t bytes)
{
	if (bytes <= (uint64_t)(reader->end - reader->next))
		return true;
	reader->has_failed = true;
	reader->next = reader->end;
	return false;
}

uint64_t dwarf_read_uint(struct dwarf_reader *reader, size_t bytes)
{
	uint64_t value = 0;

	if (bytes > sizeof(value) || !has(reader, bytes))
		return 0;
	for (size_t i = 0; i < bytes; i++)
		value |= (uint64_t)reader->next[i] << (8 * i);
	reader->next += bytes;
	return value;
}

/* *shift: how many bits were read. */
static uint64_t read_leb(struct dwarf_reader *reader, unsigned int *shift, unsigned char *last)
{
	uint64_t value = 0;

	*shift = 0;
	do {
		if (!has(reader, 1)) {
			*last = 0;
			return 0;
		}
		*last = *reader->next++;
		if (*shift < 64)
			value |= (uint64_t)(*last & 0x7f) << *shift;
		*shift += *shift < 64 ? 7 : 0;
	} while (*last & 0x80);
	return value;
}

uint64_t dwarf_read_uleb(struct dwarf_reader *reader)
{
	unsigned char last;
	unsigned int shift;

	return read_leb(reader, &shift, &last);
}

int64_t dwarf_read_sleb(struct dwarf_reader *reader)
{
	unsigned char last;
	unsigned int shift;
	uint64_t value = read_leb(reader, &shift, &last);

	if (last & 0x40 && shift < 64)
		value |= ~UINT64_C(0) << shift;
	return (int64_t)value;
}

const char *dwarf_read_text(struct dwarf_reader *reader)
{
	const char *text = (const char *)reader->next;
	const void *zero = memchr(text, '\0', (size_t)(reader->end - reader->next));

	if (!zero) {
		reader->has_failed = true;
		reader->next = reader->end;
		return "";
	}
	reader->next = (const unsigned char *)zero + 1;
	return text;
}

void dwarf_skip(struct dwarf_reader *reader, uint64_t bytes)
{
	if (has(reader, bytes))
		reader->next += bytes;
}

uint64_t dwarf_read_length(struct dwarf_reader *reader, unsigned int *offset_bytes)
{
	uint64_t length = dwarf_read_uint(reader, 4);

	*offset_bytes = 4;
	if (length == LENGTH_WIDE) {
		*offset_bytes = 8;
		length = dwarf_read_uint(reader, 8);
	} else if (length >= LENGTH_RESERVED) {
		reader->has_failed = true;
	}
	return reader->has_failed ? 0 : length;
}
