/* SPDX-License-Identifier: Apache-2.0 */
#include "account/stack.h"

#include <stdlib.h>

const char *stack_end_name(uint32_t end)
{
	static const char *const names[] = {
		[RECORD_STACK_END_ROOT] = "root",
		[RECORD_STACK_END_TRUNCATED] = "truncated",
		[RECORD_STACK_END_PENDING] = "tables_pending",
		[RECORD_STACK_END_FRAME_POINTER] = "frame_pointer_guess",
		[RECORD_STACK_END_UNKNOWN_CODE] = "unknown_code",
		[RECORD_STACK_END_NO_TABLE] = "no_table",
		[RECORD_STACK_END_UNSUPPORTED] = "unsupported_rule",
		[RECORD_STACK_END_UNREADABLE] = "unreadable",
		[RECORD_STACK_END_CORRUPT] = "corrupt",
		[RECORD_STACK_END_GUESSED_ROOT] = "guessed_root",
		[RECORD_STACK_END_SHORTENED] = "shortened",
	};

	return end < RECORD_STACK_ENDS_COUNT ? names[end] : "lost";
}

const char *stack_python_end_name(uint32_t python_end)
{
	static const char *const names[RECORD_PYTHON_ENDS_COUNT] = {
		[RECORD_PYTHON_END_ROOT] = "root",
		[RECORD_PYTHON_END_TRUNCATED] = "truncated",
		[RECORD_PYTHON_END_NO_THREAD] = "no_thread",
		[RECORD_PYTHON_END_UNREADABLE] = "unreadable",
		[RECORD_PYTHON_END_MISMATCH] = "mismatch",
	};

	return python_end < RECORD_PYTHON_ENDS_COUNT ? names[python_end] : NULL;
}

static void name_code(struct stack_frame *frame, struct address_space *space)
{
	struct symbol_name name;

	/* A return address: the call itself lies before it. */
	if (address_space_name_code(space, frame->offset - 1, &name))
		return;
	frame->code = malloc(sizeof(*frame->code));
	if (frame->code)
		*frame->code = name;
}

/* Code in no file, as JIT compilers make it. */
static void set_code_frame(struct stack_frame *frame, struct address_space *space, uint64_t address)
{
	frame->module = NULL;
	frame->offset = address;
	name_code(frame, space);
}

/* Whether it is code of a file, and the frame has it. */
static bool set_file_frame(struct stack_frame *frame, const struct address_space *space,
			   uint64_t address)
{
	if (address_space_resolve(space, address - 1, &frame->module, &frame->offset))
		return false;
	module_hold(frame->module);
	frame->offset++;
	return true;
}

struct stack *stack_new(struct address_space *space, const uint64_t *addresses,
			size_t address_count, uint32_t end, bool *has_unknown)
{
	struct stack *stack = calloc(1, sizeof(*stack) + address_count * sizeof(stack->frames[0]));

	*has_unknown = false;
	if (!stack)
		return NULL;
	stack->end = end;
	for (size_t i = 0; i < address_count; i++) {
		struct stack_frame *frame = &stack->frames[i];

		if (!set_file_frame(frame, space, addresses[i])) {
			set_code_frame(frame, space, addresses[i]);
			*has_unknown |= !frame->code;
			/* The direct caller is certain to be code, named or not. */
			if (i > 0 && !frame->code && end == RECORD_STACK_END_PENDING)
				break;
		}
		stack->frame_count++;
	}
	return stack;
}

void stack_name_code(struct stack *stack, struct address_space *space)
{
	for (uint32_t i = 0; i < stack->frame_count; i++) {
		struct stack_frame *frame = &stack->frames[i];

		if (!frame->module && !frame->python_address && !frame->code)
			name_code(frame, space);
	}
}

/* A return address: the call itself lies before it. */
uint64_t stack_frame_call_offset(const struct stack_frame *frame)
{
	return frame->offset - 1;
}

void stack_want_names(const struct stack *stack, struct namer *namer)
{
	for (uint32_t i = 0; i < stack->frame_count; i++)
		if (stack->frames[i].module)
			namer_want(namer, stack->frames[i].module,
				   stack_frame_call_offset(&stack->frames[i]));
}

struct stack *stack_copy(const struct stack *stack)
{
	struct stack *copy =
		calloc(1, sizeof(*copy) + stack->frame_count * sizeof(copy->frames[0]));

	if (!copy)
		return NULL;
	copy->end = stack->end;
	copy->python_end = stack->python_end;
	copy->frame_count = stack->frame_count;
	for (uint32_t i = 0; i < stack->frame_count; i++) {
		const struct stack_frame *frame = &stack->frames[i];

		copy->frames[i] = *frame;
		if (frame->module)
			module_hold(frame->module);
		if (frame->python_code)
			python_code_hold(frame->python_code);
		if (!frame->code)
			continue;
		copy->frames[i].code = malloc(sizeof(*frame->code));
		if (copy->frames[i].code)
			*copy->frames[i].code = *frame->code;
	}
	return copy;
}

void stack_free(struct stack *stack)
{
	if (!stack)
		return;
	for (uint32_t i = 0; i < stack->frame_count; i++) {
		if (stack->frames[i].module)
			module_release(stack->frames[i].module);
		else if (stack->frames[i].python_code)
			python_code_release(stack->frames[i].python_code);
		free(stack->frames[i].code);
	}
	free(stack);
}
