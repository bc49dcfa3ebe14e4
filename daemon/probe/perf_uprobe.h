/* SPDX-License-Identifier: Apache-2.0 */
/* Uprobes as perf events with a BPF program each: all that kernels before 6.6 have. */
#ifndef MEMWATCH_PROBE_PERF_UPROBE_H
#define MEMWATCH_PROBE_PERF_UPROBE_H

#include "probe/attach.h"

/*
 * Runs the program whenever the process pid, in whatever thread, enters the point, or returns from
 * the function there. Returns a descriptor that holds all of it, or -errno.
 */
int perf_uprobe_open(int program_fd, bool is_return, pid_t pid, const char *path,
		     const struct probe_point *point);

/*
 * The kernel removes perf uprobes one at a time, each with a wait of 20 to 100 ms for all CPUs
 * under a lock that opening takes as well (perf_uprobe_destroy in kernel/trace/trace_event_perf.c).
 * So they are closed one after the other by a thread of our own, which holds back while others
 * open.
 *
 * Takes the descriptors of probes in the process pid and closes them in their order at some later
 * time, those of a process that has ended after all others; with very many it waits until there are
 * fewer. Any thread.
 */
void perf_uprobe_close_later(const int *fds, size_t count, pid_t pid);
/* Between these two, by any thread, nothing is closed. pause waits for the one being closed. */
void perf_uprobe_closing_pause(void);
void perf_uprobe_closing_resume(void);

#endif
