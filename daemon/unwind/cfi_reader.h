/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the encodings of call frame information from memory, within bounds: past the end a cursor
 * reads zeros and says that it is broken.
 */
#ifndef MEMWATCH_UNWIND_CFI_READER_H
#define MEMWATCH_UNWIND_CFI_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct cfi_reader {
	const uint8_t *at;
	const uint8_t *end;
	bool is_broken;
};

static inline struct cfi_reader cfi_reader_new(const uint8_t *bytes, size_t count)
{
	return (struct cfi_reader){.at = bytes, .end = bytes + count};
}

static inline size_t cfi_left(const struct cfi_reader *reader)
{
	return (size_t)(reader->end - reader->at);
}

/* Skips count bytes and returns where they began; NULL when there are fewer. */
static inline const uint8_t *cfi_bytes(struct cfi_reader *reader, uint64_t count)
{
	const uint8_t *bytes = reader->at;

	if (count > cfi_left(reader)) {
		reader->is_broken = true;
		reader->at = reader->end;
		return NULL;
	}
	reader->at += count;
	return bytes;
}

/* An unsigned number of 1, 2, 4 or 8 bytes, little-endian. */
static inline uint64_t cfi_unsigned(struct cfi_reader *reader, size_t size)
{
	const uint8_t *bytes = cfi_bytes(reader, size);
	uint64_t value = 0;

	if (bytes)
		memcpy(&value, bytes, size);
	return value;
}

static inline uint64_t cfi_uleb(struct cfi_reader *reader)
{
	uint64_t value = 0;
	unsigned shift = 0;

	while (reader->at < reader->end) {
		uint8_t byte = *reader->at++;

		if (shift < 64)
			value |= (uint64_t)(byte & 0x7f) << shift;
		shift += 7;
		if (!(byte & 0x80))
			return value;
	}
	reader->is_broken = true;
	return 0;
}

static inline int64_t cfi_sleb(struct cfi_reader *reader)
{
	uint64_t value = 0;
	unsigned shift = 0;

	while (reader->at < reader->end) {
		uint8_t byte = *reader->at++;

		if (shift < 64)
			value |= (uint64_t)(byte & 0x7f) << shift;
		shift += 7;
		if (byte & 0x80)
			continue;
		if (byte & 0x40 && shift < 64)
			value |= ~(uint64_t)0 << shift;
		return (int64_t)value;
	}
	reader->is_broken = true;
	return 0;
}

#endif
