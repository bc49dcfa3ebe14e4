/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/idle_probe.h"

#include "probe/shield.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>

/* Of the kernel's PMU "uprobe": its format/ref_ctr_offset says config:32-63. */
#define REFERENCE_COUNTER_SHIFT 32

struct idle_probes {
	size_t count;
	int fds[];
};

/* The number of the kernel's event source for uprobes, -1 when it has none (perf_event_open(2)). */
static int event_type(void)
{
	FILE *file = fopen("/sys/bus/event_source/devices/uprobe/type", "re");
	char text[16] = "";
	int type = -1;

	if (!file)
		return -1;
	if (fgets(text, sizeof(text), file))
		type = (int)strtol(text, NULL, 10);
	fclose(file);
	return type > 0 ? type : -1;
}

static int open_event(int type, pid_t pid, const char *path, const struct probe_point *point)
{
	struct perf_event_attr attributes = {
		.type = (uint32_t)type,
		.size = sizeof(attributes),
		/* A semaphore's place has to be the same for all. */
		.config = point->reference_counter_offset << REFERENCE_COUNTER_SHIFT,
		.config1 = (uintptr_t)path,
		.config2 = point->file_offset,
	};

	return (int)shield_call(&(struct shielded_call){
		SYS_perf_event_open,
		{(uintptr_t)&attributes, (unsigned long)pid, -1UL, -1UL, PERF_FLAG_FD_CLOEXEC}});
}

struct idle_probes *idle_probes_open(pid_t pid, const char *path, const struct probe_point *points,
				     size_t point_count)
{
	struct idle_probes *probes = calloc(1, sizeof(*probes) + point_count * sizeof(int));
	int type = event_type();
	int fd = type < 0 ? -ENOTSUP : 0;

	if (!probes)
		return NULL;
	for (size_t i = 0; i < point_count && fd >= 0; i++) {
		fd = open_event(type, pid, path, &points[i]);
		if (fd >= 0)
			probes->fds[probes->count++] = fd;
	}
	if (fd >= 0)
		return probes;
	idle_probes_close(probes);
	errno = -fd;
	return NULL;
}

void idle_probes_close(struct idle_probes *probes)
{
	for (size_t i = 0; probes && i < probes->count; i++)
		shield_close(probes->fds[i]);
	free(probes);
}
