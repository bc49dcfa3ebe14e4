/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A child of our own, in which probes are tried and measured. It says and hears bytes through two
 * pipes, and ends with us by whatever means we end.
 */
#ifndef MEMWATCH_PROBE_CHILD_H
#define MEMWATCH_PROBE_CHILD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct probe_child {
	pid_t pid;
	int commands, answers; /* we write, and read */
};

/*
 * Forks: to be called before other threads exist. main runs in the child and is to end it by
 * _exit(); it reads and writes the descriptors that it is given. 0 or -errno.
 */
int probe_child_start(struct probe_child *child, void (*main)(int commands, int answers));
/* Whether it says a byte within the time; not when it has ended. */
bool probe_child_answers(const struct probe_child *child, int milliseconds);
/* Its status as of wait(2); that of SIGKILL when it had to be ended. */
int probe_child_end(struct probe_child *child);

/* Where our own executable's file holds a function, for probing it there in a child. 0: nowhere. */
uint64_t probe_child_file_offset(uintptr_t function);

#endif
