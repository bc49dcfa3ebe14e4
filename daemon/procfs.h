/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers in files of "name: number" or "name number" lines, as /proc has many. */
#ifndef MEMWATCH_PROCFS_H
#define MEMWATCH_PROCFS_H

#include <stdint.h>
#include <sys/types.h>

/*
 * The number of the first line of that name; a unit behind it is left to the caller.
 * Returns 0, -ENOENT (no such line or no number), or -errno; *number is untouched on error.
 */
int procfs_read_number(const char *path, const char *name, uint64_t *number);

/*
 * The pid that a process has in its own pid namespace, the innermost that it is in. Returns 0, or
 * -errno (-ENOENT: there is no such process, or the kernel doesn't say).
 */
int procfs_read_namespace_pid(pid_t pid, pid_t *namespace_pid);
/* The same from the text of a line of /proc/PID/status; -EINVAL: it is another line, or broken. */
int procfs_parse_namespace_pid(const char *line, pid_t *namespace_pid);

#endif
