/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jit-PID.dump: where a process says which code it has compiled at run time, with lines of its
 * source if it knows them. The process appends to the file, and maps a page of it as code so that
 * it is found. It is the process's own word: it names that process's code and nothing else.
 *
 * Used by one thread at a time.
 */
#ifndef MEMWATCH_SYMBOL_JITDUMP_H
#define MEMWATCH_SYMBOL_JITDUMP_H

#include "symbol/address_space.h"

#define JITDUMP_NAME_MAX_BYTES 1024 /* longer names are cut */
#define JITDUMP_FILE_MAX_BYTES 1024 /* files of longer names aren't told */

struct jitdump;

struct jitdump_code {
	char function[JITDUMP_NAME_MAX_BYTES];
	char file[JITDUMP_FILE_MAX_BYTES]; /* "" when it isn't known */
	uint32_t line;
};

/*
 * Opens a file that a process has mapped (proc_fd is /proc/PID). 24 bytes of memory for each
 * function, 6 MiB at most. Only a regular file is taken that belongs to root or to the process's
 * user and states the process's pid, as its own namespace has it. Returns 0 and *dump; -EAGAIN: its
 * header isn't written yet; -ENOTSUP: of another byte order or version; -ENOEXEC: of another
 * machine; -ESRCH: of another process; -EPERM: of another user; other -errno.
 */
int jitdump_open(int proc_fd, pid_t pid, const struct address_range *range, struct jitdump **dump);
void jitdump_free(struct jitdump *dump);

/*
 * Reads what has been appended since; a second must have gone by. So much is read at a time that it
 * takes tens of milliseconds at most, and of the file the first 4 GiB.
 */
void jitdump_refresh(struct jitdump *dump);

/* The function that was compiled to an address last. 0 or -ENOENT. */
int jitdump_find(const struct jitdump *dump, uint64_t address, struct jitdump_code *code);

#endif
