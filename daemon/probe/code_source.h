/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Machine code as those who follow it see it: bytes at file offsets, and what the file says of
 * functions' ends and of the slots through which calls leave a function's own file or not.
 */
#ifndef MEMWATCH_PROBE_CODE_SOURCE_H
#define MEMWATCH_PROBE_CODE_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A word of the global offset table that the loader fills. */
struct code_slot {
	uint64_t target_offset; /* of the code in this file, 0: another file's */
	char symbol[64];        /* cut short when it is longer */
};

struct code_source {
	void *context;
	/* Copies up to so many bytes of code at the offset; returns how many there are. */
	size_t (*read)(void *context, uint64_t offset, uint8_t *code, size_t bytes);
	/* Where the function ends that the offset belongs to; 0: not known. */
	uint64_t (*function_end)(void *context, uint64_t offset);
	/* What a slot holds that lies so many bytes from the code at the offset. */
	bool (*slot)(void *context, uint64_t offset, int64_t distance, struct code_slot *slot);
};

#endif
