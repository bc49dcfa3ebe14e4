/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_CAPACITY_BYTES  4096
#define REPLACEMENT_CHARACTER "\xef\xbf\xbd"

void text_init(struct text *text, size_t max_bytes)
{
	*text = (struct text){.max_bytes = max_bytes};
}

void text_free(struct text *text)
{
	free(text->data);
	*text = (struct text){.max_bytes = text->max_bytes};
}

/* Makes room for length more bytes; on failure the error sticks. */
static int reserve(struct text *text, size_t length)
{
	size_t capacity = text->capacity;
	char *data;

	if (text->error)
		return text->error;
	if (length <= text->capacity - text->length)
		return 0;
	if (length > text->max_bytes - text->length)
		return text->error = -EMSGSIZE;
	if (capacity < FIRST_CAPACITY_BYTES)
		capacity = FIRST_CAPACITY_BYTES;
	while (capacity - text->length < length)
		capacity *= 2;
	if (capacity > text->max_bytes)
		capacity = text->max_bytes;
	data = realloc(text->data, capacity);
	if (!data)
		return text->error = -ENOMEM;
	text->data = data;
	text->capacity = capacity;
	return 0;
}

void text_append(struct text *text, const char *bytes, size_t length)
{
	if (length == 0 || reserve(text, length))
		return;
	memcpy(text->data + text->length, bytes, length);
	text->length += length;
}

void text_append_string(struct text *text, const char *string)
{
	text_append(text, string, strlen(string));
}

/* For numbers and short fixed phrases: what is longer than the buffer is cut. */
void text_printf(struct text *text, const char *format, ...)
{
	char buffer[512];
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(buffer, sizeof(buffer), format, arguments);
	va_end(arguments);
	if (length < 0)
		return;
	if ((size_t)length >= sizeof(buffer))
		length = sizeof(buffer) - 1;
	text_append(text, buffer, (size_t)length);
}

static int is_continuation(unsigned char byte)
{
	return (byte & 0xc0) == 0x80;
}

/*
 * Bytes of the valid UTF-8 sequence (of two bytes or more) that begins at s, 0 when none does:
 * overlong forms, surrogates and what lies beyond U+10FFFF are not valid (RFC 3629, section 4).
 */
static size_t multibyte_length(const unsigned char *s, size_t available)
{
	unsigned char low = 0x80, high = 0xbf;
	size_t length;

	if (s[0] >= 0xc2 && s[0] <= 0xdf)
		length = 2;
	else if (s[0] >= 0xe0 && s[0] <= 0xef)
		length = 3;
	else if (s[0] >= 0xf0 && s[0] <= 0xf4)
		length = 4;
	else
		return 0;
	if (s[0] == 0xe0)
		low = 0xa0;
	else if (s[0] == 0xed)
		high = 0x9f;
	else if (s[0] == 0xf0)
		low = 0x90;
	else if (s[0] == 0xf4)
		high = 0x8f;
	if (length > available || s[1] < low || s[1] > high)
		return 0;
	for (size_t i = 2; i < length; i++) {
		if (!is_continuation(s[i]))
			return 0;
	}
	return length;
}

void text_append_escaped(struct text *text, const char *bytes, size_t length,
			 const char *const escapes[TEXT_ESCAPES_LENGTH])
{
	const unsigned char *s = (const unsigned char *)bytes;
	size_t run_start = 0, i = 0;

	while (i < length) {
		const char *replacement = REPLACEMENT_CHARACTER;

		if (s[i] < TEXT_ESCAPES_LENGTH) {
			replacement = escapes[s[i]];
			if (!replacement) {
				i++;
				continue;
			}
		} else {
			size_t sequence_length = multibyte_length(s + i, length - i);

			if (sequence_length > 0) {
				i += sequence_length;
				continue;
			}
		}
		text_append(text, bytes + run_start, i - run_start);
		text_append_string(text, replacement);
		run_start = ++i;
	}
	text_append(text, bytes + run_start, length - run_start);
}
