/* SPDX-License-Identifier: Apache-2.0 */
#include "python/code_text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* PyASCIIObject.state: interned 2 bits, kind 3 (bytes per character), compact 1, ascii 1. */
#define STATE_KIND(state) ((state) >> 2 & 7)
#define STATE_IS_COMPACT  0x20
#define STATE_IS_ASCII    0x40
#define HEADER_BYTES_MAX  64
#define UTF8_BYTES_MAX    10 /* of a character that is escaped: \U0010ffff */

struct text_header {
	uint64_t length; /* in characters */
	uint32_t kind;   /* bytes per character */
	uint64_t data;   /* its address */
};

/*
 * Where the characters are: behind the header, or, of an instance of a subclass, where a pointer
 * there says.
 */
static int find_data(const struct python_layout *layout, const struct python_memory *memory,
		     uint64_t address, uint32_t state, uint64_t *data)
{
	if (!(state & STATE_IS_COMPACT))
		return memory->read(memory->context, address + layout->unicode_compact_data, data,
				    sizeof(*data));
	*data = address + (state & STATE_IS_ASCII ? layout->unicode_ascii_data
						  : layout->unicode_compact_data);
	return 0;
}

static int read_header(const struct python_layout *layout, const struct python_memory *memory,
		       uint64_t address, struct text_header *header)
{
	uint8_t bytes[HEADER_BYTES_MAX];
	uint32_t state;
	int error;

	if (!address || layout->unicode_ascii_data > sizeof(bytes) ||
	    layout->unicode_length + sizeof(header->length) > layout->unicode_ascii_data ||
	    layout->unicode_state + sizeof(state) > layout->unicode_ascii_data)
		return -EINVAL;
	error = memory->read(memory->context, address, bytes, layout->unicode_ascii_data);
	if (error)
		return error;
	memcpy(&header->length, bytes + layout->unicode_length, sizeof(header->length));
	memcpy(&state, bytes + layout->unicode_state, sizeof(state));
	header->kind = STATE_KIND(state);
	/* 0: a string of before 3.12 that isn't made ready. */
	if (header->kind != 1 && header->kind != 2 && header->kind != 4)
		return -EINVAL;
	if (header->length > CODE_TEXT_CHARACTERS_MAX)
		return -E2BIG;
	return find_data(layout, memory, address, state, &header->data);
}

static uint32_t character_at(const uint8_t *characters, uint32_t kind, size_t index)
{
	uint32_t character = 0;

	memcpy(&character, characters + index * kind, kind);
	return character;
}

/* Returns how many bytes it took, at most UTF8_BYTES_MAX. */
static size_t put_character(uint32_t character, char *to)
{
	char escaped[UTF8_BYTES_MAX + 1];
	size_t bytes = 0;

	if (!character)
		bytes = (size_t)snprintf(escaped, sizeof(escaped), "\\x00");
	else if (character >= 0xd800 && character < 0xe000)
		bytes = (size_t)snprintf(escaped, sizeof(escaped), "\\u%04x", character);
	else if (character > 0x10ffff)
		bytes = (size_t)snprintf(escaped, sizeof(escaped), "\\U%08x", character);
	if (bytes) {
		memcpy(to, escaped, bytes);
		return bytes;
	}
	if (character < 0x80) {
		to[0] = (char)character;
		return 1;
	}
	if (character < 0x800) {
		to[0] = (char)(0xc0 | character >> 6);
		to[1] = (char)(0x80 | (character & 0x3f));
		return 2;
	}
	if (character < 0x10000) {
		to[0] = (char)(0xe0 | character >> 12);
		to[1] = (char)(0x80 | (character >> 6 & 0x3f));
		to[2] = (char)(0x80 | (character & 0x3f));
		return 3;
	}
	to[0] = (char)(0xf0 | character >> 18);
	to[1] = (char)(0x80 | (character >> 12 & 0x3f));
	to[2] = (char)(0x80 | (character >> 6 & 0x3f));
	to[3] = (char)(0x80 | (character & 0x3f));
	return 4;
}

/* A copy in UTF-8 of exactly its size; NULL without memory. */
static char *encode(const struct text_header *header, const uint8_t *characters)
{
	char *text = malloc(header->length * UTF8_BYTES_MAX + 1), *fitted;
	size_t bytes = 0;

	if (!text)
		return NULL;
	for (size_t i = 0; i < header->length; i++)
		bytes += put_character(character_at(characters, header->kind, i), text + bytes);
	text[bytes++] = '\0';
	fitted = realloc(text, bytes);
	return fitted ? fitted : text;
}

int code_text_read(const struct python_layout *layout, const struct python_memory *memory,
		   uint64_t address, char **text)
{
	struct text_header header;
	uint8_t *characters;
	int error = read_header(layout, memory, address, &header);

	if (error)
		return error;
	characters = malloc(header.length * header.kind + 1);
	if (!characters)
		return -ENOMEM;
	error = header.length ? memory->read(memory->context, header.data, characters,
					     header.length * header.kind)
			      : 0;
	if (!error) {
		*text = encode(&header, characters);
		error = *text ? 0 : -ENOMEM;
	}
	free(characters);
	return error;
}
