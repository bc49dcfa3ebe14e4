/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel's uprobe links over many points of a file, which sessions are a kind of. */
#ifndef MEMWATCH_PROBE_UPROBE_LINK_H
#define MEMWATCH_PROBE_UPROBE_LINK_H

#include "probe/attach.h"

/*
 * Attach types of the kernel's interface that older headers lack: BPF_TRACE_UPROBE_MULTI and
 * BPF_TRACE_UPROBE_SESSION (include/uapi/linux/bpf.h of Linux 6.13).
 */
#define UPROBE_LINK_MULTI   48
#define UPROBE_LINK_SESSION 57

/* Which points of a plan a link takes in, and which of their ends. */
enum uprobe_link_kind {
	UPROBE_LINK_SESSIONS, /* entry and return of those that need the return */
	UPROBE_LINK_ALONE,    /* entry of those that don't */
	UPROBE_LINK_ENTRIES,  /* entry of all */
	UPROBE_LINK_RETURNS,  /* return of those that need it */
};

/*
 * One link of the program to those of the points, for the thread group pid alone. 0 and its
 * descriptor, -1 when the kind takes in none of the points; or -errno.
 */
int uprobe_link_open(int program_fd, enum uprobe_link_kind kind, pid_t pid, const char *path,
		     const struct probe_point *points, size_t point_count, int *fd);
/* Waits until nothing runs the program any more: 50 to 100 ms. -1 is fine. */
void uprobe_link_close(int fd);

/* The sweep of attach.h, by a link that comes and goes. */
int uprobe_link_sweep(const struct probe_programs *programs, pid_t pid, const char *path,
		      const struct probe_point *points, size_t point_count);

#endif
