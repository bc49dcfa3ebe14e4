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

enum uprobe_link_end { UPROBE_LINK_ENTRY, UPROBE_LINK_RETURN };

/*
 * One link of the program to the entry of every point, or to the return of those that need it, for
 * the thread group pid alone. Returns its descriptor, or -errno.
 */
int uprobe_link_create(int program_fd, uint32_t attach_type, enum uprobe_link_end end, pid_t pid,
		       const char *path, const struct probe_point *points, size_t point_count);
/* Waits until nothing runs the program any more: 50 to 100 ms. */
void uprobe_link_close(int fd);

/* The sweep of attach.h, by a link that comes and goes. */
int uprobe_link_sweep(const struct probe_programs *programs, pid_t pid, const char *path,
		      const struct probe_point *points, size_t point_count);

#endif
