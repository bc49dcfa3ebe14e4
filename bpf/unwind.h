/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Takes the user stack of the current thread. Where it is in its innermost frame is given: at the
 * return from a probed function or just before, or where the kernel interrupted it. The callers
 * beyond it are found by the call frame information of their code, and where there is none by frame
 * pointers.
 */
#ifndef MEMWATCH_UNWIND_H
#define MEMWATCH_UNWIND_H

#include "call.h"
#include "stack_hash.h"
#include "unwind_frame.h"

/* The innermost frame. */
struct unwind_start {
	__u64 address;        /* that its caller is searched by */
	__u64 return_address; /* what is recorded of it */
	__u64 stack_pointer;  /* as it is right after the return to return_address */
	__u64 frame_pointer;
};

/* In the caller of a probed function, to which that returns. */
static __always_inline struct unwind_start
unwind_at_return(const struct call *call, __u64 return_address, __u64 stack_pointer)
{
	return (struct unwind_start){.address = return_address - 1,
				     .return_address = return_address,
				     .stack_pointer = stack_pointer,
				     .frame_pointer = PT_REGS_FP(call->ctx)};
}

static __always_inline void unwind_begin(const struct call *call, struct unwind_walk *walk,
					 const struct unwind_start *start)
{
	__u64 unwind = *(volatile __u64 *)&call->control->unwind;

	walk->serial = unwind >> 32 == call->account ? unwind & ~0U : 0;
	walk->slot = call->slot;
	walk->stack_pointer = start->stack_pointer;
	walk->frame_pointer = start->frame_pointer;
	walk->window.bytes = 0;
	walk->is_guessed = 0;
	walk->address = start->address;
	unwind_find(walk);
}

/* What the end of a stack is worth in which a caller was found by the frame pointer alone. */
static __always_inline __u32 unwind_guessed_end(__u32 end)
{
	switch (end) {
	case RECORD_STACK_END_TRUNCATED:
	case RECORD_STACK_END_PENDING:
		return end;
	case RECORD_STACK_END_ROOT:
		return RECORD_STACK_END_GUESSED_ROOT;
	default:
		return RECORD_STACK_END_FRAME_POINTER;
	}
}

/*
 * Fills state->stack's frames, frame_count (at least 1) and end, and returns the hash of all that.
 * The count is kept in memory, not in a register: the verifier would follow every length on its
 * own.
 */
static __always_inline __u64 unwind_take(const struct call *call, const struct unwind_start *start,
					 struct thread_state *state)
{
	__u64 hash = stack_hash_add(stack_hash_begin(), start->return_address);
	struct unwind_walk *walk = &state->walk;

	state->stack.frames[0] = start->return_address;
	state->stack.frame_count = 1;
	state->stack.end = RECORD_STACK_END_TRUNCATED;
	unwind_begin(call, walk, start);
	for (__u32 i = 1; i < RECORD_STACK_FRAMES_MAX; i++) {
		if (unwind_step(walk)) {
			state->stack.end = walk->end;
			break;
		}
		state->stack.frames[i] = walk->return_address;
		state->stack.frame_count = i + 1;
		hash = stack_hash_add(hash, walk->return_address);
	}
	if (walk->is_guessed)
		state->stack.end = unwind_guessed_end(state->stack.end);
	return stack_hash_add(hash, state->stack.end);
}

/* Counts how the stack taken last has ended. */
static __always_inline void unwind_count(const struct call *call, const struct thread_state *state)
{
	__u32 end = state->stack.end, python_end = state->stack.python_end;

	asm volatile("" : "+r"(end), "+r"(python_end));
	if (end < RECORD_STACK_ENDS_COUNT)
		COUNT(call->counters->stack_ends[end]);
	if (python_end < RECORD_PYTHON_ENDS_COUNT)
		COUNT(call->counters->python_ends[python_end]);
}

#endif
