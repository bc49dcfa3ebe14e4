/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names decide, not addresses: the same code read twice, or by another process, is the same. Native
 * code without a name or file is told apart by module and offset.
 */
#include "view/line_key.h"

#include <string.h>

bool line_frame_is_python(const struct answer_frame *frame)
{
	return strcmp(frame->kind, "python") == 0;
}

const char *line_frame_function(const struct answer_frame *frame)
{
	return frame->qualified_name ? frame->qualified_name : frame->function;
}

static const char *place_of(const struct answer_frame *frame)
{
	return frame->file ? frame->file : frame->module;
}

/* Python's own, whose module it doesn't say, is one module. */
static const char *module_of(const struct answer_frame *frame)
{
	return line_frame_is_python(frame) ? NULL : frame->module;
}

static bool is_same_text(const char *a, const char *b)
{
	if (a == b)
		return true;
	return a && b && strcmp(a, b) == 0;
}

/* What else tells two pieces of code of one file apart. */
static bool is_same_code(bool has_lines, const struct answer_frame *a, const struct answer_frame *b)
{
	const char *function = line_frame_function(a);

	if (!is_same_text(function, line_frame_function(b)))
		return false;
	if (!function && !line_frame_is_python(a) && a->offset != b->offset)
		return false;
	return !has_lines || a->line == b->line;
}

static bool is_same_frame(enum line_group_by group_by, const struct answer_frame *a,
			  const struct answer_frame *b)
{
	if (line_frame_is_python(a) != line_frame_is_python(b))
		return false;
	if (group_by == LINE_BY_MODULE)
		return is_same_text(module_of(a), module_of(b));
	if (!is_same_text(place_of(a), place_of(b)))
		return false;
	return group_by == LINE_BY_FILE || is_same_code(group_by != LINE_BY_FUNCTION, a, b);
}

/* The next frame of the group's kind from *index on; NULL: no more. */
static const struct answer_frame *next_frame(const struct line_group *group, size_t *index)
{
	while (*index < group->frame_count) {
		const struct answer_frame *frame = &group->frames[(*index)++];

		if (line_frame_is_python(frame) == (group->kind == LINE_PYTHON))
			return frame;
	}
	return NULL;
}

static bool is_same_traceback(const struct line_group *a, const struct line_group *b)
{
	size_t of_a = 0, of_b = 0;

	for (;;) {
		const struct answer_frame *left = next_frame(a, &of_a);
		const struct answer_frame *right = next_frame(b, &of_b);

		if (!left || !right)
			return left == right;
		if (!is_same_frame(LINE_BY_LINE, left, right))
			return false;
	}
}

bool line_key_is_same(enum line_group_by group_by, const struct line_group *a,
		      const struct line_group *b)
{
	if (a->kind != b->kind)
		return false;
	if (group_by == LINE_BY_TRACEBACK)
		return is_same_traceback(a, b);
	return is_same_frame(group_by, a->frame, b->frame);
}

static uint64_t hash_byte(uint64_t hash, unsigned char byte)
{
	return (hash ^ byte) * UINT64_C(0x100000001b3); /* FNV-1a */
}

static uint64_t hash_text(uint64_t hash, const char *text)
{
	for (; text && *text; text++)
		hash = hash_byte(hash, (unsigned char)*text);
	return hash_byte(hash, 0);
}

/* No more than what is the same in frames that are. */
static uint64_t hash_frame(enum line_group_by group_by, uint64_t hash,
			   const struct answer_frame *frame)
{
	if (group_by == LINE_BY_MODULE)
		return hash_text(hash, module_of(frame));
	hash = hash_text(hash, place_of(frame));
	if (group_by == LINE_BY_FILE)
		return hash;
	hash = hash_text(hash, line_frame_function(frame));
	for (uint32_t line = group_by == LINE_BY_FUNCTION ? 0 : frame->line; line; line >>= 8)
		hash = hash_byte(hash, line & 0xff);
	return hash;
}

uint64_t line_key_hash(enum line_group_by group_by, const struct line_group *group)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);
	const struct answer_frame *frame;
	size_t index = 0;

	if (group_by != LINE_BY_TRACEBACK) {
		hash = hash_frame(group_by, hash, group->frame);
		return hash ^ hash >> 32;
	}
	while ((frame = next_frame(group, &index)) != NULL)
		hash = hash_frame(LINE_BY_LINE, hash, frame);
	return hash ^ hash >> 32;
}

static int compare_texts(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "");
}

int line_key_compare(const struct line_group *a, const struct line_group *b)
{
	int order = compare_texts(place_of(a->frame), place_of(b->frame));

	if (order == 0 && a->frame->line != b->frame->line)
		order = a->frame->line < b->frame->line ? -1 : 1;
	if (order == 0)
		order = compare_texts(line_frame_function(a->frame), line_frame_function(b->frame));
	return order;
}
