/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attach back ends: how a set of uprobes gets into one process. One struct of functions each; which
 * one is used is found by trying (probe/feature.h).
 */
#ifndef MEMWATCH_PROBE_ATTACH_H
#define MEMWATCH_PROBE_ATTACH_H

#include "probe/object.h"

#include <sys/types.h>

struct probe_point {
	uint64_t file_offset;
	uint64_t cookie;
	/* Where the file keeps the probe's semaphore (USDT), which the link raises; 0: none. */
	uint64_t reference_counter_offset;
};

/* Whether the function's meaning needs its return. */
static inline bool probe_point_needs_return(const struct probe_point *point)
{
	uint64_t operation = RECORD_COOKIE_OPERATION(point->cookie);

	return operation == RECORD_OPERATION_ALLOCATE || operation == RECORD_OPERATION_REALLOCATE ||
	       operation == RECORD_OPERATION_MAP || operation == RECORD_OPERATION_REMAP;
}

struct probe_link;

struct probe_backend {
	const char *name;
	/*
	 * Attaches the allocator program at every point of the file, for the thread group pid
	 * alone: other processes that map the file get no breakpoints. path may be of
	 * /proc/PID/map_files. 0 or -errno: -ESRCH when the process is gone.
	 */
	int (*attach)(struct probe_object *object, pid_t pid, const char *path,
		      const struct probe_point *points, size_t point_count,
		      struct probe_link **link);
	/*
	 * Removes the breakpoints that forks of the process have copied and nobody listens to. The
	 * process itself keeps its own.
	 */
	int (*sweep)(struct probe_object *object, pid_t pid, const char *path,
		     const struct probe_point *points, size_t point_count);
	void (*detach)(struct probe_link *link);
};

/* Since 6.13: one program at entry and return, and the entry may skip the return. */
extern const struct probe_backend probe_backend_session;

#endif
