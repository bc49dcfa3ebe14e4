/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/uprobe_link.h"

/* Frees first: of no block that is seen the free is missed. */
static const struct uprobe_link_part parts[2] = {
	{PROBE_PROGRAM_ENTRY, UPROBE_LINK_ALONE},
	{PROBE_PROGRAM_SESSION, UPROBE_LINK_SESSIONS},
};

static int session_attach(const struct probe_programs *programs, pid_t pid, const char *path,
			  const struct probe_point *points, size_t point_count,
			  struct probe_link **link)
{
	return uprobe_links_attach(programs, parts, pid, path, points, point_count, link);
}

const struct probe_backend probe_backend_session = {
	.name = "session",
	.programs =
		1U << PROBE_PROGRAM_SESSION | 1U << PROBE_PROGRAM_ENTRY | 1U << PROBE_PROGRAM_SWEEP,
	.attach = session_attach,
	.sweep = uprobe_link_sweep,
	.detach = uprobe_links_detach,
};
