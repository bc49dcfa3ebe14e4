/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /tmp/perf-PID.map: where a process says which code it has compiled at run time, a line for each
 * function ("START SIZE name", hexadecimal). Later lines count more than earlier ones. The file is
 * the process's own word: it names that process's code and nothing else.
 *
 * Used by one thread at a time.
 */
#ifndef MEMWATCH_SYMBOL_PERF_MAP_H
#define MEMWATCH_SYMBOL_PERF_MAP_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PERF_MAP_NAME_MAX_BYTES 1024 /* longer names are cut */

struct perf_map;

/* 16 bytes of memory for each function, 4 MiB at most. NULL when out of memory. */
struct perf_map *perf_map_new(void);
void perf_map_free(struct perf_map *map);

/*
 * Reads the file anew if it isn't the one that was read last, or has changed; a second must have
 * gone by. It is looked for as the process sees it: below its root directory (proc_fd is
 * /proc/PID), by the pid of its own namespace. Only a regular file that belongs to root or to the
 * process's user is read, and of it the first 16 MiB.
 */
void perf_map_refresh(struct perf_map *map, int proc_fd, pid_t pid);

/* The function that was compiled to an address. 0 or -ENOENT. */
int perf_map_find(const struct perf_map *map, uint64_t address,
		  char name[static PERF_MAP_NAME_MAX_BYTES]);

/*
 * Takes a line of so many bytes (no newline) apart. Returns 0, or -EINVAL for a line that is none.
 * name is where the name begins, as an offset in the line. Pure; has a fuzz target.
 */
int perf_map_parse_line(const char *line, size_t length, uint64_t *start, uint64_t *size,
			size_t *name);

#endif
