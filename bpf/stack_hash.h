/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The hash by which equal stacks are one site. */
#ifndef MEMWATCH_STACK_HASH_H
#define MEMWATCH_STACK_HASH_H

#include "kernel_types.h"

#include <bpf/bpf_helpers.h>

/* Drawn by the daemon at load, so that a program can't choose stacks that collide. */
const volatile __u64 stack_hash_seed SEC(".rodata") __weak = 0;

/*
 * Frame by frame, then the stack's end. Multiply-xorshift, one round a frame (constants of
 * MurmurHash3's finaliser). 64 bits: among the 2^15 sites of a full table two stacks meet with
 * probability 3e-11.
 */
static __always_inline __u64 stack_hash_begin(void)
{
	return stack_hash_seed;
}

static __always_inline __u64 stack_hash_add(__u64 hash, __u64 value)
{
	hash = (hash ^ value) * 0xff51afd7ed558ccdULL;
	return hash ^ hash >> 32;
}

#endif
