/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The meaning table: what each allocator function does, as data. A new allocator is new rows here
 * and nothing else; the BPF side reads the meaning from the attach cookie (bpf/record.h).
 */
#ifndef MEMWATCH_PROBE_ALLOCATOR_H
#define MEMWATCH_PROBE_ALLOCATOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct allocator_function {
	const char *name;
	uint64_t meaning; /* RECORD_COOKIE(...) without the target's slot */
};

struct allocator {
	const char *name; /* "glibc", "loader" */
	const struct allocator_function *functions;
	size_t function_count;
	/*
	 * A module provides this allocator when it defines all of these (NULL-terminated) and none
	 * of the excluded (may be NULL). An executable that only imports malloc doesn't define it.
	 */
	const char *const *required_functions;
	const char *const *excluded_functions;
	/* Taken only for a module that provides none of the allocators before it. */
	bool is_last_resort;
	/*
	 * A library that brings it is nothing else: whatever of its code maps memory does so for
	 * the allocator. Else that is only so near the functions themselves.
	 */
	bool is_whole_file;
	/*
	 * Inner functions (may be NULL) that tell how far its code reaches in an executable, where
	 * they have names there: those by which it maps memory.
	 */
	const char *const *mapping_functions;
};

extern const struct allocator allocators[];
extern const size_t allocator_count;

#endif
