/* SPDX-License-Identifier: Apache-2.0 */
#include "text.h"

#include <langinfo.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

void text_fail_out_of_memory(void)
{
	fputs("memwatchctl: out of memory\n", stderr);
	exit(1);
}

char *text_format(const char *format, ...)
{
	va_list arguments;
	char *text;
	int length;

	va_start(arguments, format);
	length = vasprintf(&text, format, arguments);
	va_end(arguments);
	if (length < 0)
		text_fail_out_of_memory();
	return text;
}

static char *text_copy(const char *text, size_t length)
{
	char *copy = strndup(text, length);

	if (!copy)
		text_fail_out_of_memory();
	return copy;
}

bool text_is_utf8(void)
{
	return strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

const char *text_plus_minus(void)
{
	return text_is_utf8() ? "±" : "+-";
}

const char *text_ellipsis(void)
{
	return text_is_utf8() ? "…" : "..";
}

size_t text_decode(const char *text, uint32_t *code_point)
{
	const unsigned char *bytes = (const unsigned char *)text;
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	uint32_t value;
	size_t length;

	if (bytes[0] == 0)
		return 0;
	if (bytes[0] < 0x80) {
		*code_point = bytes[0];
		return 1;
	}
	if ((bytes[0] & 0xe0) == 0xc0)
		length = 2;
	else if ((bytes[0] & 0xf0) == 0xe0)
		length = 3;
	else if ((bytes[0] & 0xf8) == 0xf0)
		length = 4;
	else
		return 0;
	value = bytes[0] & (0x7fu >> length);
	for (size_t i = 1; i < length; i++) {
		/* The terminating NUL is no continuation byte: this never reads beyond it. */
		if ((bytes[i] & 0xc0) != 0x80)
			return 0;
		value = value << 6 | (bytes[i] & 0x3f);
	}
	if (value < least[length] || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff))
		return 0;
	*code_point = value;
	return length;
}

/* Reorders or hides what stands around it, or ends a line for some programs. */
static bool text_is_deceptive(uint32_t code_point)
{
	return code_point == 0x061c || (code_point >= 0x200b && code_point <= 0x200f) ||
	       (code_point >= 0x2028 && code_point <= 0x202e) ||
	       (code_point >= 0x2060 && code_point <= 0x206f) || code_point == 0xfeff ||
	       code_point >= 0xe0000;
}

static bool text_is_printable(uint32_t code_point)
{
	if (code_point < 0x80)
		return code_point >= 0x20 && code_point != 0x7f;
	return text_is_utf8() && !text_is_deceptive(code_point) &&
	       wcwidth((wchar_t)code_point) >= 0;
}

char *text_escape(const char *hostile)
{
	/* A byte becomes four at most. */
	char *escaped = malloc(4 * strlen(hostile) + 1);
	char *out = escaped;

	if (!escaped)
		text_fail_out_of_memory();
	while (*hostile) {
		uint32_t code_point;
		size_t length = text_decode(hostile, &code_point);

		if (length > 0 && text_is_printable(code_point)) {
			memcpy(out, hostile, length);
			out += length;
			hostile += length;
			continue;
		}
		if (*hostile == '\n')
			out = stpcpy(out, "\\n");
		else if (*hostile == '\t')
			out = stpcpy(out, "\\t");
		else
			out += sprintf(out, "\\x%02x", (unsigned char)*hostile);
		hostile++;
	}
	*out = '\0';
	return escaped;
}

/* Bytes of the character at text, at least 1, and its columns. */
static size_t text_next(const char *text, size_t *columns)
{
	uint32_t code_point;
	size_t length = text_decode(text, &code_point);
	int width;

	*columns = 1;
	if (length <= 1)
		return 1;
	width = wcwidth((wchar_t)code_point);
	if (width >= 0)
		*columns = (size_t)width;
	return length;
}

size_t text_width(const char *text)
{
	size_t total = 0;
	size_t columns;

	while (*text) {
		text += text_next(text, &columns);
		total += columns;
	}
	return total;
}

char *text_cut_end(const char *text, size_t columns)
{
	size_t room = text_width(text_ellipsis());
	const char *end = text;
	size_t used = 0;

	if (text_width(text) <= columns)
		return text_copy(text, strlen(text));
	if (columns < room)
		return text_copy("", 0);
	for (;;) {
		size_t width;
		size_t length = text_next(end, &width);

		if (used + width > columns - room)
			break;
		used += width;
		end += length;
	}
	return text_format("%.*s%s", (int)(end - text), text, text_ellipsis());
}

char *text_cut_start(const char *text, size_t columns)
{
	size_t room = text_width(text_ellipsis());
	size_t total = text_width(text);

	if (total <= columns)
		return text_copy(text, strlen(text));
	if (columns < room)
		return text_copy("", 0);
	while (total > columns - room) {
		size_t width;

		text += text_next(text, &width);
		total -= width;
	}
	return text_format("%s%s", text_ellipsis(), text);
}
