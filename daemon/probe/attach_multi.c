/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/uprobe_link.h"

#include <errno.h>
#include <stdlib.h>

struct probe_link {
	int entry_fd;
	int return_fd; /* -1: no function whose return matters */
};

static void multi_detach(struct probe_link *link)
{
	/* The returns go last, so that calls under way still find home. */
	uprobe_link_close(link->entry_fd);
	uprobe_link_close(link->return_fd);
	free(link);
}

static int multi_attach(const struct probe_programs *programs, pid_t pid, const char *path,
			const struct probe_point *points, size_t point_count,
			struct probe_link **link)
{
	struct probe_link *made = calloc(1, sizeof(*made));
	int error;

	if (!made)
		return -ENOMEM;
	made->entry_fd = made->return_fd = -1;
	/* The returns come first: a call that is entered meanwhile has its return seen. */
	error = uprobe_link_open(programs->fd[PROBE_PROGRAM_RETURN], UPROBE_LINK_RETURNS, pid, path,
				 points, point_count, &made->return_fd);
	if (!error)
		error = uprobe_link_open(programs->fd[PROBE_PROGRAM_ENTRY], UPROBE_LINK_ENTRIES,
					 pid, path, points, point_count, &made->entry_fd);
	if (error) {
		multi_detach(made);
		return error;
	}
	*link = made;
	return 0;
}

const struct probe_backend probe_backend_multi = {
	.name = "multi",
	.programs =
		1U << PROBE_PROGRAM_ENTRY | 1U << PROBE_PROGRAM_RETURN | 1U << PROBE_PROGRAM_SWEEP,
	.attach = multi_attach,
	.sweep = uprobe_link_sweep,
	.detach = multi_detach,
};
