/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A process's memory made of a fuzzer's input: whatever address is read, some of the input lies
 * there, so that every pointer leads on.
 */
#ifndef MEMWATCH_TESTS_PYTHON_IMAGE_H
#define MEMWATCH_TESTS_PYTHON_IMAGE_H

#include "python/memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Addresses whose upper part is this are not there. */
#define PYTHON_IMAGE_UNREADABLE 0xdead0000ULL

struct python_image {
	const uint8_t *bytes;
	size_t size;
	size_t reads, reads_max; /* more of them are a crash */
};

static int python_image_read(void *context, uint64_t address, void *buffer, size_t bytes)
{
	struct python_image *image = context;
	uint8_t *to = buffer;

	if (++image->reads > image->reads_max)
		abort();
	if ((address & ~0xffffULL) == PYTHON_IMAGE_UNREADABLE)
		return -EFAULT;
	while (bytes) {
		size_t at = address % image->size;
		size_t count = image->size - at < bytes ? image->size - at : bytes;

		memcpy(to, image->bytes + at, count);
		to += count;
		address += count;
		bytes -= count;
	}
	return 0;
}

#endif
