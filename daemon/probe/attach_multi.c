/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/uprobe_link.h"

#include <errno.h>
#include <stdlib.h>

struct probe_link {
	int entry_fd;
	int return_fd; /* -1: no point needs its return */
};

static bool any_needs_return(const struct probe_point *points, size_t point_count)
{
	for (size_t i = 0; i < point_count; i++)
		if (points[i].needs_return)
			return true;
	return false;
}

static void multi_detach(struct probe_link *link)
{
	/* The returns go last, so that calls under way still find home. */
	if (link->entry_fd >= 0)
		uprobe_link_close(link->entry_fd);
	if (link->return_fd >= 0)
		uprobe_link_close(link->return_fd);
	free(link);
}

static int multi_attach(const struct probe_programs *programs, pid_t pid, const char *path,
			const struct probe_point *points, size_t point_count,
			struct probe_link **link)
{
	struct probe_link *made = calloc(1, sizeof(*made));
	int error = 0;

	if (!made)
		return -ENOMEM;
	made->entry_fd = made->return_fd = -1;
	/* The returns come first: a call that is entered meanwhile has its return seen. */
	if (any_needs_return(points, point_count)) {
		made->return_fd =
			uprobe_link_create(programs->fd[PROBE_PROGRAM_RETURN], UPROBE_LINK_MULTI,
					   UPROBE_LINK_RETURN, pid, path, points, point_count);
		error = made->return_fd < 0 ? made->return_fd : 0;
	}
	if (!error) {
		made->entry_fd =
			uprobe_link_create(programs->fd[PROBE_PROGRAM_ENTRY], UPROBE_LINK_MULTI,
					   UPROBE_LINK_ENTRY, pid, path, points, point_count);
		error = made->entry_fd < 0 ? made->entry_fd : 0;
	}
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
	.expected_attach_type = UPROBE_LINK_MULTI,
	.attach = multi_attach,
	.sweep = uprobe_link_sweep,
	.detach = multi_detach,
};
