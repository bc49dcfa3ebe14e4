/* SPDX-License-Identifier: Apache-2.0 */
#include "symbol/address_space.h"

#include <errno.h>
#include <string.h>

/* Takes hex digits off the text; false when there is none or the number has more than 64 bits. */
static bool take_hex(const char **text, uint64_t *value)
{
	const char *start = *text;
	uint64_t result = 0;

	for (;; (*text)++) {
		char c = **text;
		unsigned int digit;

		if (c >= '0' && c <= '9')
			digit = (unsigned int)(c - '0');
		else if (c >= 'a' && c <= 'f')
			digit = (unsigned int)(c - 'a') + 10;
		else
			break;
		if (result >> 60)
			return false;
		result = result << 4 | digit;
	}
	*value = result;
	return *text != start;
}

static bool take_decimal(const char **text, uint64_t *value)
{
	const char *start = *text;
	uint64_t result = 0;

	for (; **text >= '0' && **text <= '9'; (*text)++)
		if (__builtin_mul_overflow(result, 10, &result) ||
		    __builtin_add_overflow(result, (uint64_t)(**text - '0'), &result))
			return false;
	*value = result;
	return *text != start;
}

static bool take_char(const char **text, char expected)
{
	if (**text != expected)
		return false;
	(*text)++;
	return true;
}

static bool take_flag(const char **text, char set, char unset, bool *flag)
{
	*flag = **text == set;
	return take_char(text, set) || take_char(text, unset);
}

static bool take_permissions(const char **text, struct address_range *range)
{
	return take_flag(text, 'r', '-', &range->is_readable) &&
	       take_flag(text, 'w', '-', &range->is_writable) &&
	       take_flag(text, 'x', '-', &range->is_executable) &&
	       take_flag(text, 's', 'p', &range->is_shared);
}

static bool take_device(const char **text, struct address_range *range)
{
	uint64_t major_number, minor_number;

	if (!take_hex(text, &major_number) || !take_char(text, ':') ||
	    !take_hex(text, &minor_number) || major_number > UINT32_MAX ||
	    minor_number > UINT32_MAX)
		return false;
	range->device_major = (uint32_t)major_number;
	range->device_minor = (uint32_t)minor_number;
	return true;
}

/*
 * The kernel writes a newline in a path as \012 and leaves everything else, backslashes included,
 * so that a name which holds these four characters itself cannot be told apart.
 */
static void unescape_newlines(char *text)
{
	char *out = text;

	while (*text) {
		if (!strncmp(text, "\\012", 4)) {
			*out++ = '\n';
			text += 4;
		} else {
			*out++ = *text++;
		}
	}
	*out = '\0';
}

static bool cut_suffix(char *text, const char *suffix)
{
	size_t length = strlen(text), suffix_length = strlen(suffix);

	if (length < suffix_length || strcmp(text + length - suffix_length, suffix) != 0)
		return false;
	text[length - suffix_length] = '\0';
	return true;
}

int address_range_parse(char *line, struct address_range *range)
{
	struct address_range result = {0};
	const char *next = line;
	char *path;

	if (!take_hex(&next, &result.start) || !take_char(&next, '-') ||
	    !take_hex(&next, &result.end) || result.start >= result.end || !take_char(&next, ' ') ||
	    !take_permissions(&next, &result) || !take_char(&next, ' ') ||
	    !take_hex(&next, &result.file_offset) || !take_char(&next, ' ') ||
	    !take_device(&next, &result) || !take_char(&next, ' ') ||
	    !take_decimal(&next, &result.inode))
		return -EINVAL;
	if (*next && *next != ' ')
		return -EINVAL;
	path = line + (next - line);
	path += strspn(path, " ");
	result.is_deleted = result.inode && cut_suffix(path, " (deleted)");
	unescape_newlines(path);
	result.path = path;
	*range = result;
	return 0;
}
