/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/perf_uprobe.h"

#include <errno.h>
#include <stdlib.h>

struct probe_link {
	pid_t pid;
	size_t count;
	int fds[]; /* entry and return of each point, in the points' order */
};

static void perf_detach(struct probe_link *link)
{
	perf_uprobe_close_later(link->fds, link->count, link->pid);
	free(link);
}

/* The return comes first: a call that is entered meanwhile has its return seen. */
static int attach_point(struct probe_link *link, const struct probe_programs *programs, pid_t pid,
			const char *path, const struct probe_point *point)
{
	int return_fd = -1, entry_fd;

	if (point->needs_return) {
		return_fd = perf_uprobe_open(programs->fd[PROBE_PROGRAM_RETURN], true, pid, path,
					     point);
		if (return_fd < 0)
			return return_fd;
	}
	entry_fd = perf_uprobe_open(programs->fd[PROBE_PROGRAM_ENTRY], false, pid, path, point);
	/* And goes last, when the link is closed. */
	if (entry_fd >= 0)
		link->fds[link->count++] = entry_fd;
	if (return_fd >= 0)
		link->fds[link->count++] = return_fd;
	return entry_fd < 0 ? entry_fd : 0;
}

static int perf_attach(const struct probe_programs *programs, pid_t pid, const char *path,
		       const struct probe_point *points, size_t point_count,
		       struct probe_link **link)
{
	struct probe_link *made = calloc(1, sizeof(*made) + 2 * point_count * sizeof(made->fds[0]));
	int error = 0;

	if (!made)
		return -ENOMEM;
	made->pid = pid;
	perf_uprobe_closing_pause();
	for (size_t i = 0; i < point_count && !error; i++)
		error = attach_point(made, programs, pid, path, &points[i]);
	perf_uprobe_closing_resume();
	if (error) {
		perf_detach(made);
		return error;
	}
	*link = made;
	return 0;
}

/*
 * There is nothing to sweep: a copied breakpoint is hit once, by the fork, and goes. The event's
 * filter, which knows the process by its memory, tells the kernel to remove it (uprobe_perf_func in
 * kernel/trace/trace_uprobe.c).
 */
static int perf_sweep(const struct probe_programs *programs, pid_t pid, const char *path,
		      const struct probe_point *points, size_t point_count)
{
	(void)programs;
	(void)pid;
	(void)path;
	(void)points;
	(void)point_count;
	return 0;
}

const struct probe_backend probe_backend_perf = {
	.name = "perf",
	.programs = 1U << PROBE_PROGRAM_ENTRY | 1U << PROBE_PROGRAM_RETURN,
	.attach = perf_attach,
	.sweep = perf_sweep,
	.detach = perf_detach,
};
