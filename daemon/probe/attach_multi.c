/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/uprobe_link.h"

/*
 * The returns come first, so that a call that is entered meanwhile has its return seen; and go
 * last, so that calls under way still find home.
 */
static const struct uprobe_link_part parts[2] = {
	{PROBE_PROGRAM_RETURN, UPROBE_LINK_RETURNS},
	{PROBE_PROGRAM_ENTRY, UPROBE_LINK_ENTRIES},
};

static int multi_attach(const struct probe_programs *programs, pid_t pid, const char *path,
			const struct probe_point *points, size_t point_count,
			struct probe_link **link)
{
	return uprobe_links_attach(programs, parts, pid, path, points, point_count, link);
}

const struct probe_backend probe_backend_multi = {
	.name = "multi",
	.programs =
		1U << PROBE_PROGRAM_ENTRY | 1U << PROBE_PROGRAM_RETURN | 1U << PROBE_PROGRAM_SWEEP,
	.attach = multi_attach,
	.sweep = uprobe_link_sweep,
	.detach = uprobe_links_detach,
};
