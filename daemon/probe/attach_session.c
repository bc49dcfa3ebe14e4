/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/uprobe_link.h"

#include <errno.h>
#include <stdlib.h>

struct probe_link {
	int fd;
};

static int session_attach(const struct probe_programs *programs, pid_t pid, const char *path,
			  const struct probe_point *points, size_t point_count,
			  struct probe_link **link)
{
	struct probe_link *made = calloc(1, sizeof(*made));

	if (!made)
		return -ENOMEM;
	made->fd = uprobe_link_create(programs->fd[PROBE_PROGRAM_SESSION], UPROBE_LINK_SESSION,
				      UPROBE_LINK_ENTRY, pid, path, points, point_count);
	if (made->fd < 0) {
		int error = made->fd;

		free(made);
		return error;
	}
	*link = made;
	return 0;
}

static void session_detach(struct probe_link *link)
{
	uprobe_link_close(link->fd);
	free(link);
}

const struct probe_backend probe_backend_session = {
	.name = "session",
	.programs = 1U << PROBE_PROGRAM_SESSION | 1U << PROBE_PROGRAM_SWEEP,
	.expected_attach_type = UPROBE_LINK_SESSION,
	.attach = session_attach,
	.sweep = uprobe_link_sweep,
	.detach = session_detach,
};
