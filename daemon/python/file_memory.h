/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A process's memory, and where no page of it has come yet, what its interpreter's file has there:
 * constants that nothing in the process has read. A fork's child begins with none of them.
 */
#ifndef MEMWATCH_PYTHON_FILE_MEMORY_H
#define MEMWATCH_PYTHON_FILE_MEMORY_H

#include "python/interpreter_file.h"
#include "python/memory.h"

struct file_memory {
	const struct python_memory *memory; /* whose reads give -ENXIO where nothing has come */
	int fd;
	const struct interpreter_symbols *symbols; /* of the file */
	uint64_t bias; /* what is to be added to an address that it is linked at */
};

/* Borrows it. Reads as process_memory_reader()'s do. */
struct python_memory file_memory_reader(struct file_memory *file_memory);

#endif
