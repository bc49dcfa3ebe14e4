/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers in files of "name: number" or "name number" lines, as /proc has many. */
#ifndef MEMWATCH_PROCFS_H
#define MEMWATCH_PROCFS_H

#include <stdint.h>

/*
 * The number of the first line of that name; a unit behind it is left to the caller.
 * Returns 0, -ENOENT (no such line or no number), or -errno; *number is untouched on error.
 */
int procfs_read_number(const char *path, const char *name, uint64_t *number);

#endif
