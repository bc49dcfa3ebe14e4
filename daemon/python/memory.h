/* SPDX-License-Identifier: Apache-2.0 */
/* How the readers of a Python process's memory get at it: a real process's, or a test's. */
#ifndef MEMWATCH_PYTHON_MEMORY_H
#define MEMWATCH_PYTHON_MEMORY_H

#include <stddef.h>
#include <stdint.h>

struct python_memory {
	/*
	 * Reads exactly bytes from an address of the process: 0, or -errno (-EFAULT: not there,
	 * -ENXIO: mapped, but no page of it has come).
	 */
	int (*read)(void *context, uint64_t address, void *buffer, size_t bytes);
	void *context;
};

#endif
