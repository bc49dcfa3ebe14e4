/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/idle_probe.h"

#include "probe/shield.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

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

struct event_request {
	struct perf_event_attr attributes;
	pid_t pid;
};

static long open_event(void *context)
{
	struct event_request *request = context;
	long fd = syscall(SYS_perf_event_open, &request->attributes, request->pid, -1, -1,
			  PERF_FLAG_FD_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static long close_events(void *context)
{
	struct idle_probes *probes = context;

	while (probes->count > 0)
		close(probes->fds[--probes->count]);
	return 0;
}

struct idle_probes *idle_probes_open(pid_t pid, const char *path, const struct probe_point *points,
				     size_t point_count)
{
	struct idle_probes *probes = calloc(1, sizeof(*probes) + point_count * sizeof(int));
	int type = event_type();
	long fd = type < 0 ? -ENOTSUP : 0;

	if (!probes)
		return NULL;
	for (size_t i = 0; i < point_count && fd >= 0; i++) {
		struct event_request request = {
			.attributes = {.type = (uint32_t)type,
				       .size = sizeof(request.attributes),
				       /* A semaphore's place has to be the same for all. */
				       .config = points[i].reference_counter_offset << 32,
				       .config1 = (uintptr_t)path,
				       .config2 = points[i].file_offset},
			.pid = pid,
		};

		fd = shield_call(open_event, &request);
		if (fd >= 0)
			probes->fds[probes->count++] = (int)fd;
	}
	if (fd >= 0)
		return probes;
	idle_probes_close(probes);
	errno = (int)-fd;
	return NULL;
}

void idle_probes_close(struct idle_probes *probes)
{
	if (probes)
		shield_call(close_events, probes);
	free(probes);
}
