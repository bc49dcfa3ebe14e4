/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Takes the Python frames of the current thread, once its native stack has been taken: of as many
 * calls of the evaluation function as that passes. The thread's own state is found by what the
 * interpreter knows of its threads, whoever holds the GIL.
 *
 * What is read is the target's to forge: every loop is bounded, and nothing read is used but as an
 * address to read from, or as a word to record.
 */
#ifndef MEMWATCH_PYTHON_H
#define MEMWATCH_PYTHON_H

#include "call.h"
#include "stack_hash.h"
#include "thread.h"

#include <bpf/bpf_core_read.h>

/* Thread states that are looked at for one that isn't known yet. */
#define PYTHON_THREADS_MAX 512
/* A thread has one state in each interpreter that it has entered: so many of them in one stack. */
#define PYTHON_STATES_MAX 8
/* How long a thread that no interpreter knows isn't looked for again. */
#define PYTHON_RETRY_NS 10000000ULL

/* Frames, and what lies between the calls that run them. */
#define PYTHON_STEPS_MAX (2 * RECORD_PYTHON_FRAMES_MAX)

/* Written by the daemon. Index: slot. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct record_python);
} python_interpreters SEC(".maps") __weak;

/* A word of a frame, at any offset: those of one kind lie together, older ones each for itself. */
static __always_inline bool python_read(struct thread_state *state,
					const struct record_python *python, __u64 address,
					__u64 *word)
{
	if (python->entry_kind == RECORD_PYTHON_ENTRY_EACH)
		return bpf_probe_read_user(word, sizeof(*word), (void *)address) == 0;
	return stack_window_read_page(&state->walk.window, address, word);
}

/* Its 32 bits, where an int lies. */
static __always_inline bool python_read_int(struct thread_state *state,
					    const struct record_python *python, __u64 address,
					    __s32 *value)
{
	__u64 word;

	if (!python_read(state, python, address & ~7ULL, &word))
		return false;
	*value = (__s32)(word >> (address & 4) * 8);
	return true;
}

static __always_inline bool python_read_byte(struct thread_state *state,
					     const struct record_python *python, __u64 address,
					     __u8 *value)
{
	__u64 word;

	if (!python_read(state, python, address & ~7ULL, &word))
		return false;
	*value = (__u8)(word >> (address & 7) * 8);
	return true;
}

/* RECORD_PYTHON_INSTRUCTION() of the frame. Returns whether it could be read. */
static __always_inline bool python_instruction(struct thread_state *state,
					       const struct record_python *python, __u64 frame,
					       __u64 code, __u32 *instruction)
{
	__u64 place = frame + python->frame_instruction, pointer;
	__s64 offset;
	__s32 index;

	*instruction = RECORD_PYTHON_INSTRUCTION_MAX;
	if (python->instruction_kind == RECORD_PYTHON_POINTER) {
		if (!python_read(state, python, place, &pointer))
			return false;
		offset = (__s64)(pointer - code - python->code_instructions) >> 1;
	} else {
		if (!python_read_int(state, python, place, &index))
			return false;
		offset = index;
		if (python->instruction_kind == RECORD_PYTHON_BYTE_INDEX)
			offset >>= 1;
	}
	if (offset >= -1 && offset < RECORD_PYTHON_INSTRUCTION_MAX - 1)
		*instruction = (__u32)(offset + 1);
	return true;
}

static __always_inline bool python_is_in(const struct record_python_range *range, __u64 address)
{
	return address - range->start < range->end - range->start;
}

static __always_inline bool python_is_evaluation(const struct record_python *python, __u64 address)
{
	for (__u32 i = 0; i < RECORD_PYTHON_EVAL_RANGES_MAX; i++)
		if (python_is_in(&python->eval_ranges[i], address))
			return true;
	return false;
}

/* Instead of the address of a call of the evaluation function. */
#define PYTHON_CALL_MARK 1

/*
 * Counts the calls of the evaluation function in the native stack, and hashes that anew by what it
 * means: the way through the interpreter, which it speeds up as it goes, makes no difference, but
 * for what the innermost function has called in it.
 */
__weak __noinline int python_count_calls(struct thread_state *state)
{
	const struct record_python *python;
	struct python_walk *walk;
	__u32 slot, is_leaf = 1;

	if (!state)
		return 0;
	walk = &state->python;
	walk->calls = 0;
	walk->hash = stack_hash_begin();
	slot = walk->slot;
	python = bpf_map_lookup_elem(&python_interpreters, &slot);
	if (!python)
		return 0;
	for (__u32 i = 0; i < RECORD_STACK_FRAMES_MAX; i++) {
		__u64 address = state->stack.frames[i] - 1;

		if (i >= state->stack.frame_count)
			break;
		if (python_is_evaluation(python, address)) {
			walk->calls++;
			is_leaf = 0;
			walk->hash = stack_hash_add(walk->hash, PYTHON_CALL_MARK);
			continue;
		}
		if (!python_is_in(&python->code, address))
			is_leaf = 0;
		else if (!is_leaf)
			continue;
		walk->hash = stack_hash_add(walk->hash, address);
	}
	walk->hash = stack_hash_add(walk->hash, state->stack.end);
	return 0;
}

/* Sets state->python.frame to the innermost one of a thread state. Returns whether there is one. */
static __always_inline bool python_enter_thread(struct thread_state *state,
						const struct record_python *python)
{
	__u64 thread = state->python.thread, frame = 0;

	if (bpf_probe_read_user(&frame, sizeof(frame), (void *)(thread + python->thread_frame)))
		return false;
	if (python->has_cframe &&
	    (!frame ||
	     bpf_probe_read_user(&frame, sizeof(frame), (void *)(frame + python->cframe_frame))))
		return false;
	state->python.frame = frame;
	return frame != 0;
}

/*
 * Goes to the next state of this thread that has frames, after state->python.thread of
 * state->python.interpreter, or the first one where that is 0. Returns whether there is one.
 */
__weak __noinline int python_next_state(struct thread_state *state)
{
	const struct record_python *python;
	__u64 self, found;
	__u32 slot;

	if (!state)
		return 0;
	slot = state->python.slot;
	python = bpf_map_lookup_elem(&python_interpreters, &slot);
	if (!python)
		return 0;
	self = BPF_CORE_READ(bpf_get_current_task_btf(), thread.fsbase);
	for (__u32 i = 0; i < PYTHON_THREADS_MAX; i++) {
		__u64 place;

		if (state->python.thread)
			place = state->python.thread + python->thread_next;
		else if (state->python.interpreter)
			place = state->python.interpreter + python->interpreter_threads;
		else
			place = python->runtime + python->runtime_interpreters;
		if (bpf_probe_read_user(&found, sizeof(found), (void *)place))
			return 0;
		if (!state->python.interpreter) {
			if (!found)
				return 0;
			state->python.interpreter = found;
			continue;
		}
		state->python.thread = found;
		if (!found) {
			/* That was the last one of this interpreter. */
			place = state->python.interpreter + python->interpreter_next;
			if (bpf_probe_read_user(&found, sizeof(found), (void *)place) || !found)
				return 0;
			state->python.interpreter = found;
			continue;
		}
		place = state->python.thread + python->thread_id;
		if (bpf_probe_read_user(&found, sizeof(found), (void *)place))
			return 0;
		if (found == self && python_enter_thread(state, python))
			return 1;
	}
	return 0;
}

/* Finds the thread's state, where it was last time or anew. Returns whether there is one. */
static __always_inline bool python_find_state(struct thread_state *state,
					      const struct record_python *python)
{
	struct python_walk *walk = &state->python;
	__u64 now, id = 0, newest = 0;

	/* In a newer interpreter it may have a state as well, which would come first. */
	if (walk->runtime == python->runtime && walk->first_thread &&
	    !bpf_probe_read_user(&newest, sizeof(newest),
				 (void *)(python->runtime + python->runtime_interpreters)) &&
	    newest == walk->first_interpreter) {
		walk->interpreter = walk->first_interpreter;
		walk->thread = walk->first_thread;
		if (!bpf_probe_read_user(&id, sizeof(id),
					 (void *)(walk->thread + python->thread_id)) &&
		    id == BPF_CORE_READ(bpf_get_current_task_btf(), thread.fsbase) &&
		    python_enter_thread(state, python))
			return true;
	}
	now = bpf_ktime_get_ns();
	if (walk->runtime == python->runtime && now < walk->retry_ns)
		return false;
	walk->runtime = python->runtime;
	walk->interpreter = 0;
	walk->thread = 0;
	walk->first_thread = 0;
	if (!python_next_state(state)) {
		walk->retry_ns = now + PYTHON_RETRY_NS;
		return false;
	}
	walk->first_interpreter = walk->interpreter;
	walk->first_thread = walk->thread;
	walk->retry_ns = 0;
	return true;
}

/*
 * Sets state->python.word to the frame that comes next, or to 0 for one that is none of Python's,
 * and goes on to its caller. Returns 0, or 1 when it can't be read.
 */
__weak __noinline int python_step(struct thread_state *state)
{
	const struct record_python *python;
	__u64 frame, code;
	__u32 instruction, slot;
	__u8 owner = 0;

	if (!state)
		return 1;
	slot = state->python.slot;
	python = bpf_map_lookup_elem(&python_interpreters, &slot);
	if (!python)
		return 1;
	frame = state->python.frame;
	state->python.word = 0;
	if (!python_read(state, python, frame + python->frame_previous, &state->python.frame))
		return 1;
	if (python->entry_kind != RECORD_PYTHON_ENTRY_EACH &&
	    !python_read_byte(state, python, frame + python->frame_owner, &owner))
		return 1;
	if (python->entry_kind == RECORD_PYTHON_ENTRY_OWNER && owner >= python->entry_owner)
		return 0;
	if (!python_read(state, python, frame + python->frame_code, &code))
		return 1;
	code &= ~(__u64)python->frame_code_mask;
	if (!code || code & 7 || code >> 47)
		return 1;
	if (!python_instruction(state, python, frame, code, &instruction))
		return 1;
	if (python->entry_kind == RECORD_PYTHON_ENTRY_EACH)
		owner = 1;
	else if (python->entry_kind == RECORD_PYTHON_ENTRY_OWNER)
		owner = 0;
	state->python.word = RECORD_PYTHON_WORD(code, instruction, owner != 0);
	return 0;
}

/* Adds state->python.word to the stack. */
static __always_inline void python_add_frame(struct thread_state *state)
{
	__u32 count = state->stack.python_count;
	__u32 index = state->stack.frame_count + count;

	asm volatile("" : "+r"(index));
	state->stack.frames[index & (RECORD_STACK_WORDS_MAX - 1)] = state->python.word;
	state->stack.python_count = count + 1;
}

/* The frame added last is the outermost of its call. */
static __always_inline void python_mark_entry(struct thread_state *state)
{
	__u32 index = state->stack.frame_count + state->stack.python_count - 1;

	asm volatile("" : "+r"(index));
	if (state->stack.python_count)
		state->stack.frames[index & (RECORD_STACK_WORDS_MAX - 1)] |= 1;
}

/* One more frame, or thread state. Returns 0, or 1 when there are no more: python_end says why. */
static __always_inline int python_advance(struct thread_state *state)
{
	struct python_walk *walk = &state->python;
	bool is_entry;

	if (!walk->frame) {
		/* Of the rest another interpreter knows, if any: this thread has entered several.
		 */
		if (walk->is_open || ++walk->states > PYTHON_STATES_MAX ||
		    !python_next_state(state)) {
			state->stack.python_end =
				walk->is_open ? RECORD_PYTHON_END_ROOT : RECORD_PYTHON_END_MISMATCH;
			return 1;
		}
	}
	state->stack.python_end = RECORD_PYTHON_END_UNREADABLE;
	if (python_step(state))
		return 1;
	state->stack.python_end = RECORD_PYTHON_END_TRUNCATED;
	if (walk->word && state->stack.python_count >= RECORD_PYTHON_FRAMES_MAX)
		return 1;
	if (walk->word) {
		python_add_frame(state);
		is_entry = walk->word & 1;
	} else {
		/* Beside the chain of frames, as of a generator that is being closed, lie none. */
		is_entry = state->stack.python_count != 0;
		python_mark_entry(state);
	}
	if (!is_entry || walk->is_open || --walk->calls)
		return 0;
	state->stack.python_end = RECORD_PYTHON_END_ROOT;
	return 1;
}

/* The frames of the stack's calls, and state->python.hash with them. */
__weak __noinline int python_walk(struct thread_state *state)
{
	const struct record_python *python;
	__u32 slot;

	if (!state)
		return 0;
	slot = state->python.slot;
	python = bpf_map_lookup_elem(&python_interpreters, &slot);
	if (!python)
		return 0;
	state->python.states = 0;
	state->walk.window.bytes = 0;
	if (!python_find_state(state, python)) {
		if (state->python.calls)
			state->stack.python_end = RECORD_PYTHON_END_NO_THREAD;
		return 0;
	}
	for (__u32 i = 0; i < PYTHON_STEPS_MAX; i++) {
		if (python_advance(state))
			break;
		state->python.hash = stack_hash_add(state->python.hash, state->python.word);
	}
	state->python.hash = stack_hash_add(state->python.hash, state->stack.python_end);
	return 0;
}

/*
 * Fills state->stack's python_count and python_end, and its frames beyond the native ones; returns
 * the hash of all.
 */
static __always_inline __u64 python_take(const struct call *call, struct thread_state *state,
					 __u64 hash)
{
	const struct record_python *python;
	__u32 slot = call->slot;

	state->stack.python_count = 0;
	state->stack.python_end = RECORD_PYTHON_END_NONE;
	python = bpf_map_lookup_elem(&python_interpreters, &slot);
	if (!python || !python->runtime || python->account != call->account)
		return hash;
	state->python.slot = slot;
	python_count_calls(state);
	/* How many calls there are beyond a native stack that is cut nobody knows. */
	state->python.is_open = state->stack.end != RECORD_STACK_END_ROOT &&
				state->stack.end != RECORD_STACK_END_GUESSED_ROOT;
	if (!state->python.calls && !state->python.is_open)
		return hash;
	python_walk(state);
	return state->python.hash;
}

#endif
