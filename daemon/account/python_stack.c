/* SPDX-License-Identifier: Apache-2.0 */
#include "account/python_stack.h"

#include <stdlib.h>
#include <string.h>

/* A merge under way. */
struct merge {
	const struct python_interpreter *interpreter;
	struct stack *native;
	const struct python_words *python;
	size_t words_used;
	struct stack *merged;
};

static uint64_t offset_of(uint64_t word)
{
	uint64_t instruction = RECORD_PYTHON_INSTRUCTION(word);

	if (!instruction)
		return PYTHON_OFFSET_START;
	return instruction == RECORD_PYTHON_INSTRUCTION_MAX ? PYTHON_OFFSET_UNKNOWN
							    : 2 * (instruction - 1);
}

static void add_python(struct merge *merge)
{
	uint64_t word = merge->python->words[merge->words_used++];

	merge->merged->frames[merge->merged->frame_count++] = (struct stack_frame){
		.python_address = RECORD_PYTHON_CODE(word), .offset = offset_of(word)};
}

static bool has_words(const struct merge *merge)
{
	return merge->words_used < merge->python->count;
}

/* The frames of one call of the evaluation function. */
static void add_call(struct merge *merge)
{
	bool is_entry = false;

	while (has_words(merge) && !is_entry) {
		is_entry = RECORD_PYTHON_IS_ENTRY(merge->python->words[merge->words_used]);
		add_python(merge);
	}
}

/* Takes over what the frame holds. */
static void add_native(struct merge *merge, struct stack_frame *frame)
{
	merge->merged->frames[merge->merged->frame_count++] = *frame;
	*frame = (struct stack_frame){0};
}

static bool is_named(const struct stack_frame *frame, const char *start)
{
	const char *path = module_path(frame->module), *slash = strrchr(path, '/');

	return strncmp(slash ? slash + 1 : path, start, strlen(start)) == 0;
}

/* The interpreter's own code: its library, or the program, which may be little more than its
 * main().
 */
static bool is_interpreter(const struct merge *merge, const struct stack_frame *frame)
{
	return frame->module && (frame->module == python_interpreter_module(merge->interpreter) ||
				 is_named(frame, "python"));
}

/* What begins programs and threads. */
static bool is_libc(const struct stack_frame *frame)
{
	return frame->module && (is_named(frame, "libc.") || is_named(frame, "libc-") ||
				 is_named(frame, "ld-musl") || is_named(frame, "libpthread"));
}

/* Whether anybody but interpreter and libc has frames from there on: a program that embeds Python.
 */
static bool has_host(const struct merge *merge, uint32_t first)
{
	for (uint32_t i = first; i < merge->native->frame_count; i++)
		if (!is_interpreter(merge, &merge->native->frames[i]) &&
		    !is_libc(&merge->native->frames[i]))
			return true;
	return false;
}

static void merge_all(struct merge *merge, const uint64_t *addresses)
{
	bool is_leaf = true;

	for (uint32_t i = 0; i < merge->native->frame_count; i++) {
		struct stack_frame *frame = &merge->native->frames[i];

		if (has_words(merge) &&
		    python_interpreter_is_evaluation(merge->interpreter, addresses[i] - 1)) {
			add_call(merge);
			is_leaf = false;
			if (!has_words(merge) && !has_host(merge, i + 1))
				return;
			continue;
		}
		/* Between two others the interpreter only leads from one to the next. */
		if (is_interpreter(merge, frame) && !is_leaf)
			continue;
		is_leaf = is_leaf && is_interpreter(merge, frame);
		add_native(merge, frame);
	}
	/* Of a stack that was cut, Python knows more. */
	while (has_words(merge))
		add_python(merge);
}

struct stack *python_stack_merge(struct stack *native, const uint64_t *addresses,
				 const struct python_words *python,
				 const struct python_interpreter *interpreter)
{
	struct merge merge = {.interpreter = interpreter, .native = native, .python = python};
	size_t frames_max = native->frame_count + python->count;

	native->python_end = python->end;
	native->is_called_by_interpreter =
		interpreter && native->frame_count &&
		native->frames[0].module == python_interpreter_module(interpreter);
	if (!python->count || !interpreter)
		return native;
	merge.merged = calloc(1, sizeof(*merge.merged) + frames_max * sizeof(native->frames[0]));
	if (!merge.merged)
		return native;
	merge.merged->end = native->end;
	merge.merged->python_end = python->end;
	merge.merged->is_called_by_interpreter = native->is_called_by_interpreter;
	merge_all(&merge, addresses);
	stack_free(native);
	return merge.merged;
}
