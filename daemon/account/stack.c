/* SPDX-License-Identifier: Apache-2.0 */
#include "account/stack.h"

#include <stdlib.h>

const char *stack_end_name(enum stack_end end)
{
	switch (end) {
	case STACK_END_FRAME_POINTER:
		return "frame_pointer_guess";
	case STACK_END_TRUNCATED:
		return "truncated";
	case STACK_END_LOST:
		break;
	}
	return "lost";
}

struct stack *stack_new(const struct address_space *space, const uint64_t *addresses,
			size_t address_count, bool is_truncated, bool *has_unknown)
{
	struct stack *stack = calloc(1, sizeof(*stack) + address_count * sizeof(stack->frames[0]));

	*has_unknown = false;
	if (!stack)
		return NULL;
	stack->end = is_truncated ? STACK_END_TRUNCATED : STACK_END_FRAME_POINTER;
	for (size_t i = 0; i < address_count; i++) {
		struct stack_frame *frame = &stack->frames[i];

		if (address_space_resolve(space, addresses[i] - 1, &frame->module,
					  &frame->offset)) {
			*has_unknown = true;
			if (i > 0) {
				stack->end = STACK_END_FRAME_POINTER;
				break;
			}
			/* The direct caller is certain: code in no file, as JIT compilers make it.
			 */
			frame->module = NULL;
			frame->offset = addresses[i];
		} else {
			module_hold(frame->module);
			frame->offset++;
		}
		stack->frame_count++;
	}
	return stack;
}

void stack_free(struct stack *stack)
{
	if (!stack)
		return;
	for (uint32_t i = 0; i < stack->frame_count; i++)
		if (stack->frames[i].module)
			module_release(stack->frames[i].module);
	free(stack);
}
