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

struct uprobe_link_part {
	enum probe_program program;
	enum uprobe_link_kind kind;
};

/* The attach of attach.h, by one link of each of the two parts, in their order. */
int uprobe_links_attach(const struct probe_programs *programs,
			const struct uprobe_link_part parts[2], pid_t pid, const char *path,
			const struct probe_point *points, size_t point_count,
			struct probe_link **link);
/* And its detach: the second part goes first. Waits until nothing runs the programs: 50 to 100 ms
 * each. */
void uprobe_links_detach(struct probe_link *link);

/* The sweep of attach.h, by a link that comes and goes. */
int uprobe_link_sweep(const struct probe_programs *programs, pid_t pid, const char *path,
		      const struct probe_point *points, size_t point_count);

#endif
