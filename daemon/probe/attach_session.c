/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/uprobe_link.h"

#include <errno.h>
#include <stdlib.h>

struct probe_link {
	int session_fd; /* -1: no function whose return matters */
	int alone_fd;   /* of the others; -1: none */
};

static void session_detach(struct probe_link *link)
{
	uprobe_link_close(link->session_fd);
	uprobe_link_close(link->alone_fd);
	free(link);
}

static int session_attach(const struct probe_programs *programs, pid_t pid, const char *path,
			  const struct probe_point *points, size_t point_count,
			  struct probe_link **link)
{
	struct probe_link *made = calloc(1, sizeof(*made));
	int error;

	if (!made)
		return -ENOMEM;
	made->session_fd = made->alone_fd = -1;
	/* Frees first: of no block that is seen the free is missed. */
	error = uprobe_link_open(programs->fd[PROBE_PROGRAM_ALONE], UPROBE_LINK_ALONE, pid, path,
				 points, point_count, &made->alone_fd);
	if (!error)
		error = uprobe_link_open(programs->fd[PROBE_PROGRAM_SESSION], UPROBE_LINK_SESSIONS,
					 pid, path, points, point_count, &made->session_fd);
	if (error) {
		session_detach(made);
		return error;
	}
	*link = made;
	return 0;
}

const struct probe_backend probe_backend_session = {
	.name = "session",
	.programs =
		1U << PROBE_PROGRAM_SESSION | 1U << PROBE_PROGRAM_ALONE | 1U << PROBE_PROGRAM_SWEEP,
	.attach = session_attach,
	.sweep = uprobe_link_sweep,
	.detach = session_detach,
};
