/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attach back ends: how a set of uprobes gets into one process. One struct of functions each; which
 * one is used is found by trying (probe/backend.h).
 */
#ifndef MEMWATCH_PROBE_ATTACH_H
#define MEMWATCH_PROBE_ATTACH_H

#include "probe/object.h"
#include "probe/point.h"

#include <sys/types.h>


struct probe_link;

struct probe_backend {
	const char *name;
	/* The programs it attaches, a set of 1 << enum probe_program. */
	unsigned programs;
	/*
	 * Attaches the programs at every point of the file, for the thread group pid alone: other
	 * processes that map the file get no breakpoints. path may be of /proc/PID/map_files. 0 or
	 * -errno: -ESRCH when the process is gone.
	 */
	int (*attach)(const struct probe_programs *programs, pid_t pid, const char *path,
		      const struct probe_point *points, size_t point_count,
		      struct probe_link **link);
	/*
	 * Removes the breakpoints that forks of the process have copied and nobody listens to. The
	 * process itself keeps its own.
	 */
	int (*sweep)(const struct probe_programs *programs, pid_t pid, const char *path,
		     const struct probe_point *points, size_t point_count);
	/*
	 * Takes the link. With perf the probes go later than it returns; what they still report is
	 * known by its cookie (RECORD_COOKIE_WATCH).
	 */
	void (*detach)(struct probe_link *link);
};

/* Since 6.13: one program at entry and return, and the entry may skip the return. */
extern const struct probe_backend probe_backend_session;
/* Since 6.6, for all threads since 6.10: many functions by one link, every return is probed. */
extern const struct probe_backend probe_backend_multi;
/* Since 5.15: one perf event for each entry and each return. */
extern const struct probe_backend probe_backend_perf;

#endif
