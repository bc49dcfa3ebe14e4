/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One step up the stack: from a frame to its caller, as its rule says, or, where there is none, by
 * the frame pointer. What depends on the architecture (x86-64) is here and in the rules.
 */
#ifndef MEMWATCH_UNWIND_FRAME_H
#define MEMWATCH_UNWIND_FRAME_H

#include "unwind_table.h"

#include <bpf/bpf_core_read.h>

/* A frame larger than this is none, where only a frame pointer says so: thread stacks are 8 MiB. */
#define FRAME_BYTES_MAX (8ULL << 20)

/* V8 has some forty kinds of frames, each marked by twice its number. */
#define V8_FRAME_KIND_MAX 254

/* Probed returns that a thread can have under way: the kernel allows 64. */
#define RETURN_INSTANCES_MAX 64

/* struct sigcontext from r8 on (arch/x86/include/uapi/asm/sigcontext.h). */
#define SIGCONTEXT_RBP 80
#define SIGCONTEXT_RSP 120
#define SIGCONTEXT_RIP 128

/*
 * The return address that was at this place of the stack before the kernel put that of its
 * trampoline there, to probe the return (ours, or anybody's); 0: it didn't.
 */
static __always_inline __u64 unwind_replaced_address(__u64 place)
{
	struct return_instance *instance =
		BPF_CORE_READ(bpf_get_current_task_btf(), utask, return_instances);

	for (int i = 0; i < RETURN_INSTANCES_MAX && instance; i++) {
		if (BPF_CORE_READ(instance, stack) == place && !BPF_CORE_READ(instance, chained))
			return BPF_CORE_READ(instance, orig_ret_vaddr);
		instance = BPF_CORE_READ(instance, next);
	}
	return 0;
}

/* Sets what is searched and recorded of the caller, whose return address was read at place. */
static __always_inline int unwind_enter_caller(struct unwind_walk *walk, __u64 return_address,
					       __u64 place)
{
	walk->return_address = return_address;
	walk->address = return_address - 1;
	unwind_find(walk);
	if (walk->rule || walk->end != RECORD_STACK_END_UNKNOWN_CODE)
		return 0;
	return_address = unwind_replaced_address(place);
	if (!return_address)
		return 0;
	walk->return_address = return_address;
	walk->address = return_address - 1;
	unwind_find(walk);
	return 0;
}

/* By the frame pointer; walk->end says already why no table serves. Returns whether it ends. */
static __always_inline int unwind_guess(struct unwind_walk *walk)
{
	__u64 frame = walk->frame_pointer, next, return_address;
	__u32 reason = walk->end;

	if (frame & 7 || frame - walk->stack_pointer >= FRAME_BYTES_MAX)
		return 1;
	if (!stack_window_read(&walk->window, frame, &next) ||
	    !stack_window_read(&walk->window, frame + 8, &return_address))
		return 1;
	walk->stack_pointer = frame + 16;
	walk->frame_pointer = next;
	unwind_enter_caller(walk, return_address, frame + 8);
	/* What isn't followed by code was no frame pointer. */
	if (!walk->rule &&
	    (walk->end == RECORD_STACK_END_UNKNOWN_CODE || walk->end == RECORD_STACK_END_CORRUPT)) {
		walk->end = reason;
		return 1;
	}
	walk->is_guessed = 1;
	return 0;
}

/* Out of a signal handler, to where it interrupted. */
static __always_inline int unwind_interrupted(struct unwind_walk *walk, __u64 context)
{
	__u64 address;

	walk->end = RECORD_STACK_END_UNREADABLE;
	if (!stack_window_read(&walk->window, context + SIGCONTEXT_RBP, &walk->frame_pointer) ||
	    !stack_window_read(&walk->window, context + SIGCONTEXT_RSP, &walk->stack_pointer) ||
	    !stack_window_read(&walk->window, context + SIGCONTEXT_RIP, &address))
		return 1;
	/* Recorded as if it were a return address: one byte further. */
	walk->return_address = address + 1;
	walk->address = address;
	unwind_find(walk);
	return 0;
}

/*
 * Whether rbp is at a frame of V8's. Its garbage collector walks these frames from rbp to rbp, so
 * all of its code keeps them; below the saved rbp there is either a context (a tagged pointer: odd)
 * or the kind of frame (a small integer: even). v8/src/execution/frames.h, frame-constants.h.
 */
static __always_inline bool unwind_is_v8_frame(struct unwind_walk *walk)
{
	__u64 frame = walk->frame_pointer, mark;

	if (frame & 7 || frame - 8 - walk->stack_pointer >= FRAME_BYTES_MAX ||
	    !stack_window_read(&walk->window, frame - 8, &mark))
		return false;
	return mark & 1 ? mark > V8_FRAME_KIND_MAX : mark <= V8_FRAME_KIND_MAX;
}

/* The CFA, 0 when it can't be read. */
static __always_inline __u64 unwind_cfa(struct unwind_walk *walk,
					const struct record_unwind_rule *rule)
{
	__u64 base = walk->stack_pointer;

	if (rule->kind == RECORD_UNWIND_FRAME_POINTER || rule->kind == RECORD_UNWIND_V8 ||
	    rule->kind == RECORD_UNWIND_DEREFERENCED_FRAME_POINTER)
		base = walk->frame_pointer;
	base += (__s64)rule->cfa_offset;
	if (rule->kind == RECORD_UNWIND_DEREFERENCED_STACK_POINTER ||
	    rule->kind == RECORD_UNWIND_DEREFERENCED_FRAME_POINTER) {
		if (!stack_window_read(&walk->window, base, &base))
			return 0;
		return base + (__s64)rule->cfa_addend;
	}
	/* Nothing returns into a PLT entry: it was interrupted, and the address is exact. */
	if (rule->kind == RECORD_UNWIND_PLT && (walk->address & 15) >= (__u64)rule->cfa_addend)
		base += 8;
	return base;
}

/* The caller's frame pointer. Returns whether it could be read. */
static __always_inline bool unwind_frame_pointer(struct unwind_walk *walk,
						 const struct record_unwind_rule *rule, __u64 cfa)
{
	__u64 place = cfa;

	switch (rule->frame_pointer) {
	case RECORD_UNWIND_FRAME_POINTER_SAME:
		return true;
	case RECORD_UNWIND_FRAME_POINTER_LOST:
		walk->frame_pointer = 0;
		return true;
	case RECORD_UNWIND_FRAME_POINTER_AT_FRAME_POINTER:
		place = walk->frame_pointer;
		break;
	}
	return stack_window_read(&walk->window, place + (__s64)rule->frame_pointer_offset,
				 &walk->frame_pointer);
}

/*
 * Goes from the frame of walk->rule to its caller, and finds the rule of that. Returns 0, or 1 when
 * the stack ends here: walk->end says why.
 */
__weak __noinline int unwind_step(struct unwind_walk *walk)
{
	const struct record_unwind_rule *rule;
	__u64 cfa, return_address;
	__u32 index;

	if (!walk)
		return 1;
	if (!walk->rule)
		return unwind_guess(walk);
	index = walk->rule;
	rule = bpf_map_lookup_elem(&unwind_rules, &index);
	if (!rule)
		return 1;
	switch (rule->kind) {
	case RECORD_UNWIND_END:
		walk->end = RECORD_STACK_END_ROOT;
		return 1;
	case RECORD_UNWIND_SIGNAL:
		return unwind_interrupted(walk, walk->stack_pointer + (__s64)rule->cfa_offset);
	case RECORD_UNWIND_NONE:
		walk->end = RECORD_STACK_END_NO_TABLE;
		return unwind_guess(walk);
	case RECORD_UNWIND_UNSUPPORTED:
		walk->end = RECORD_STACK_END_UNSUPPORTED;
		return unwind_guess(walk);
	case RECORD_UNWIND_V8:
		if (unwind_is_v8_frame(walk))
			break;
		walk->end = RECORD_STACK_END_NO_TABLE;
		return unwind_guess(walk);
	}
	walk->end = RECORD_STACK_END_UNREADABLE;
	cfa = unwind_cfa(walk, rule);
	if (!cfa || !stack_window_read(&walk->window, cfa - 8, &return_address) ||
	    !unwind_frame_pointer(walk, rule, cfa))
		return 1;
	walk->end = RECORD_STACK_END_CORRUPT;
	if (cfa <= walk->stack_pointer || !return_address)
		return 1;
	walk->stack_pointer = cfa;
	return unwind_enter_caller(walk, return_address, cfa - 8);
}

#endif
