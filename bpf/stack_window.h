/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Reads words of the user stack through a copy of the part that is being walked: one bulk read
 * costs as much as two words read singly. It ends with a page at the latest, so that it never
 * fails because the stack does: a page that holds live frames can be read to its end.
 */
#ifndef MEMWATCH_STACK_WINDOW_H
#define MEMWATCH_STACK_WINDOW_H

#include "kernel_types.h"

#include <bpf/bpf_helpers.h>

#define STACK_WINDOW_BYTES 4096ULL
/* A frame's saved registers lie below its return address, which is read first. */
#define STACK_WINDOW_BELOW_BYTES 64ULL

struct stack_window {
	__u64 start;
	__u64 bytes; /* 0: nothing is copied */
	__u8 copy[STACK_WINDOW_BYTES];
};

static __always_inline bool stack_window_move(struct stack_window *window, __u64 address)
{
	__u64 page_offset = address & (STACK_WINDOW_BYTES - 1);
	__u64 below =
		page_offset < STACK_WINDOW_BELOW_BYTES ? page_offset : STACK_WINDOW_BELOW_BYTES;
	__u64 bytes = STACK_WINDOW_BYTES - page_offset + below;

	/* Not more than a page: known to us, but the verifier has to see it. */
	asm volatile("" : "+r"(bytes));
	window->bytes = 0;
	if (bytes > STACK_WINDOW_BYTES)
		return false;
	if (bpf_probe_read_user(window->copy, bytes, (void *)(address - below)))
		return false;
	window->start = address - below;
	window->bytes = bytes;
	return true;
}

/* The whole page: frames of Python's lie next to each other, callers below. */
static __always_inline bool stack_window_move_page(struct stack_window *window, __u64 address)
{
	window->bytes = 0;
	window->start = address & ~(STACK_WINDOW_BYTES - 1);
	if (bpf_probe_read_user(window->copy, sizeof(window->copy), (void *)window->start))
		return false;
	window->bytes = STACK_WINDOW_BYTES;
	return true;
}

/* The same as the next one, of a page that is read as a whole. */
static __always_inline bool stack_window_read_page(struct stack_window *window, __u64 address,
						   __u64 *word)
{
	if (address & (sizeof(*word) - 1))
		return false;
	if (address - window->start >= window->bytes && !stack_window_move_page(window, address))
		return false;
	*word = *(__u64 *)(window->copy +
			   ((address - window->start) & (STACK_WINDOW_BYTES - sizeof(*word))));
	return true;
}

/* Reads the word at an address of the stack. Returns whether it is there; words are aligned. */
static __always_inline bool stack_window_read(struct stack_window *window, __u64 address,
					      __u64 *word)
{
	__u64 offset = address - window->start;

	if (address & (sizeof(*word) - 1))
		return false;
	if (offset >= window->bytes) {
		if (!stack_window_move(window, address))
			return false;
		offset = address - window->start;
	}
	offset &= STACK_WINDOW_BYTES - sizeof(*word);
	*word = *(__u64 *)(window->copy + offset);
	return true;
}

#endif
