/* SPDX-License-Identifier: Apache-2.0 */
#include "target/debugged.h"

#include "procfs.h"

#include <stdio.h>
#include <stdlib.h>

struct debugged {
	struct process_identity identity;
	struct idle_probes *probes;
	struct debugged *next;
};

bool process_is_traced(pid_t pid)
{
	uint64_t tracer = 0;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	return !procfs_read_number(path, "TracerPid", &tracer) && tracer != 0;
}

void debugged_add(struct debugged **list, const struct process_identity *identity,
		  struct idle_probes *probes)
{
	struct debugged *added = malloc(sizeof(*added));

	if (!added) {
		idle_probes_close(probes);
		return;
	}
	*added = (struct debugged){.identity = *identity, .probes = probes, .next = *list};
	*list = added;
}

static bool is_still_debugged(const struct debugged *one)
{
	return !process_is_over(&one->identity) && process_is_traced(one->identity.pid);
}

struct debugged *debugged_take(struct debugged **list, bool all)
{
	struct debugged *taken = NULL;

	while (*list) {
		struct debugged *one = *list;

		if (!all && is_still_debugged(one)) {
			list = &one->next;
			continue;
		}
		*list = one->next;
		one->next = taken;
		taken = one;
	}
	return taken;
}

void debugged_close(struct debugged *taken)
{
	while (taken) {
		struct debugged *next = taken->next;

		idle_probes_close(taken->probes);
		free(taken);
		taken = next;
	}
}
