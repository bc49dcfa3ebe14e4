/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A thread's calls that are under way, and what becomes of those that never return. */
#ifndef MEMWATCH_PENDING_H
#define MEMWATCH_PENDING_H

#include "block.h"
#include "sample.h"

/* The calls above depth will never return here; what they took out of the map is gone. */
static __always_inline void pending_abandon(const struct call *call, struct thread_state *state,
					    __u32 depth)
{
	/* Unrolled: the verifier of 6.1 takes no loop whose end falls through into its head. */
#pragma unroll
	for (__u32 i = 0; i < PENDING_CALLS_MAX; i++) {
		if (i < depth || i >= state->depth)
			continue;
		COUNT(call->counters->abandoned_calls);
		if (state->pending[i].has_old)
			block_count_freed(&state->pending[i].old);
	}
	state->depth = depth;
}

/*
 * Makes room for a call whose stack pointer is stack_pointer: calls that were entered from the same
 * stack further down (longjmp, a C++ exception, an ended coroutine) have been left for good. A call
 * at the very same place is either such a one or our caller by tail call; both give way to this
 * one.
 */
static __always_inline void pending_unwind(const struct call *call, struct thread_state *state,
					   __u64 stack_pointer, struct pending_call *tail_caller)
{
	struct task_struct *task = bpf_get_current_task_btf();
	bool is_on_signal_stack = thread_is_on_signal_stack(task, stack_pointer);
	__u32 depth = state->depth;

	for (__u32 i = 0; i < PENDING_CALLS_MAX; i++) {
		struct pending_call *pending;

		if (i >= state->depth)
			break;
		pending = &state->pending[i];
		if (thread_is_on_signal_stack(task, pending->stack_pointer) != is_on_signal_stack ||
		    pending->stack_pointer > stack_pointer)
			continue;
		depth = i;
		if (pending->stack_pointer == stack_pointer && i + 1 == state->depth) {
			*tail_caller = *pending;
			state->depth = depth;
			return;
		}
		break;
	}
	if (depth < state->depth)
		pending_abandon(call, state, depth);
}

static __always_inline struct thread_state *thread_state_get(const struct call *call, __u64 flags)
{
	struct thread_state *state =
		bpf_task_storage_get(&thread_states, bpf_get_current_task_btf(), NULL, flags);

	if (!state || state->account == call->account)
		return state;
	state->account = call->account;
	state->depth = 0;
	state->inner_address = 0;
	state->freed_address = 0;
	state->skipped_stack_pointer = 0;
	state->sampling_interval_bytes = 0; /* the first allocation draws its distance */
	return state;
}

/* What fails inside an allocator may yet be had by other means: the outermost call tells. */
static __always_inline void count_failure(const struct call *call,
					  const struct pending_call *pending)
{
	if (!pending->is_nested)
		COUNT(call->counters->failed_allocations);
}

#endif
