/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Takes the user stack of the current thread, at the return from a probed function or just before:
 * the return address in the direct caller is given, and is thereby right with or without frame
 * pointers; the callers beyond it come from the frame pointer chain.
 *
 * The chain is believed only while it climbs the stack in sane steps: code without frame pointers
 * keeps anything in %rbp, and a wild chain would make a new stack of each call.
 */
#ifndef MEMWATCH_UNWIND_H
#define MEMWATCH_UNWIND_H

#include "thread.h"

#include <bpf/bpf_tracing.h>

/* A frame larger than this ends the chain: the default thread stack is 8 MiB. */
#define FRAME_BYTES_MAX (8ULL << 20)

struct frame_record {
	__u64 next;
	__u64 return_address;
};

/* Drawn by the daemon at load, so that a program can't choose stacks that collide. */
const volatile __u64 stack_hash_seed SEC(".rodata") __weak = 0;

/*
 * Multiply-xorshift, one round a frame (constants of MurmurHash3's finaliser). 64 bits: among the
 * 2^15 sites of a full table two stacks meet with probability 3e-11.
 */
static __always_inline __u64 hash_add(__u64 hash, __u64 value)
{
	hash = (hash ^ value) * 0xff51afd7ed558ccdULL;
	return hash ^ hash >> 32;
}

/*
 * Fills state->stack.frames and frame_count (at least 1) and returns the hash of the frames. The
 * count is kept in memory, not in a register: the verifier would follow every length on its own.
 */
static __always_inline __u64 unwind_take(struct pt_regs *ctx, __u64 return_address,
					 struct thread_state *state)
{
	__u64 stack_pointer = PT_REGS_SP(ctx);
	__u64 frame_pointer = PT_REGS_FP(ctx);
	__u64 copied_bytes = STACK_COPY_BYTES;
	__u64 hash = hash_add(stack_hash_seed, return_address);
	struct frame_record record;

	state->stack.frames[0] = return_address;
	state->stack.frame_count = 1;
	if (bpf_probe_read_user(state->stack_copy, STACK_COPY_BYTES, (void *)stack_pointer))
		copied_bytes = 0; /* the stack ends sooner: frames are read one by one */
	for (__u32 i = 1; i < RECORD_STACK_FRAMES_MAX; i++) {
		__u64 offset = frame_pointer - stack_pointer;

		if (frame_pointer & 7 || offset >= FRAME_BYTES_MAX)
			break;
		if (offset + sizeof(record) <= copied_bytes) {
			offset &= STACK_COPY_BYTES - 1;
			if (offset > STACK_COPY_BYTES - sizeof(record))
				break;
			record = *(struct frame_record *)(state->stack_copy + offset);
		} else if (bpf_probe_read_user(&record, sizeof(record), (void *)frame_pointer)) {
			break;
		}
		if (!record.return_address)
			break;
		state->stack.frames[i] = record.return_address;
		state->stack.frame_count = i + 1;
		hash = hash_add(hash, record.return_address);
		if (record.next <= frame_pointer)
			break;
		frame_pointer = record.next;
	}
	return hash;
}

#endif
