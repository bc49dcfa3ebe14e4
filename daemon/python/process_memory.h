/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading a live process's memory without making it do anything: only pages that are there are
 * read, so that none is brought in from swap or a file, and nobody who serves page faults (FUSE,
 * userfaultfd) is waited for. A process that takes a page away in the midst of it can make a read
 * wait all the same: the thread that reads holds no lock.
 */
#ifndef MEMWATCH_PYTHON_PROCESS_MEMORY_H
#define MEMWATCH_PYTHON_PROCESS_MEMORY_H

#include "python/memory.h"

#include <sys/types.h>

struct process_memory {
	pid_t pid;
	int pagemap_fd;
	uint64_t absent_reads; /* refused because a page isn't there */
};

/* Returns 0, or -errno (-ESRCH: it is gone), after which nothing can be read. */
int process_memory_open(struct process_memory *memory, pid_t pid);
/* Also of one that isn't open. */
void process_memory_close(struct process_memory *memory);
/*
 * Borrows it. Its reads give -EFAULT for what isn't mapped, -ENODATA for what is swapped out,
 * -ENXIO where no page has come (yet): then what is mapped of a file is as the file has it.
 */
struct python_memory process_memory_reader(struct process_memory *memory);

#endif
