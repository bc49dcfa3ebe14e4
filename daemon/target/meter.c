/* SPDX-License-Identifier: Apache-2.0 */
#include "target/meter.h"

#include "clock.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* How often waits are read, and of how many threads: some 5 us each. */
#define WAIT_SECONDS     0.2
#define WAIT_THREADS_MAX 64
/* A ratio to less than that is noise. */
#define WAIT_CPU_SECONDS_MIN 0.002

/* A process that is gone, or whose clock can't be had, counts as one thread. */
static double cpu_now_seconds(const struct target_meter *meter)
{
	struct timespec now;

	if (!meter->has_cpu_clock || clock_gettime(meter->cpu_clock, &now))
		return meter->cpu_seconds;
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* The second field of a thread's schedstat: ns that it was ready and did not run. */
static uint64_t thread_waited_ns(int tasks_fd, const char *thread)
{
	char path[300], text[96], *end;
	uint64_t waited_ns = 0;
	ssize_t got;
	int fd;

	snprintf(path, sizeof(path), "%s/schedstat", thread);
	fd = openat(tasks_fd, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	got = read(fd, text, sizeof(text) - 1);
	if (got > 0) {
		text[got] = '\0';
		strtoull(text, &end, 10);
		waited_ns = strtoull(end, NULL, 10);
	}
	close(fd);
	return waited_ns;
}

static double waited_until_now_seconds(pid_t pid)
{
	uint64_t waited_ns = 0;
	struct dirent *entry;
	int threads = 0;
	char path[64];
	DIR *tasks;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	tasks = opendir(path);
	if (!tasks)
		return 0;
	while (threads < WAIT_THREADS_MAX && (entry = readdir(tasks))) {
		if (entry->d_name[0] == '.')
			continue;
		waited_ns += thread_waited_ns(dirfd(tasks), entry->d_name);
		threads++;
	}
	closedir(tasks);
	return (double)waited_ns * 1e-9;
}

static void read_waits(struct target_meter *meter)
{
	double waited = waited_until_now_seconds(meter->pid);
	double more_waited = waited - meter->waits_seconds;
	double more_cpu = meter->cpu_seconds - meter->waits_cpu_seconds;

	/* Threads that ended took their waits along. */
	meter->wait_per_cpu =
		more_waited > 0 && more_cpu > WAIT_CPU_SECONDS_MIN ? more_waited / more_cpu : 0;
	meter->waits_seconds = waited;
	meter->waits_cpu_seconds = meter->cpu_seconds;
	meter->waits_wall_seconds = meter->wall_seconds;
}

void target_meter_begin(struct target_meter *meter, pid_t pid)
{
	memset(meter, 0, sizeof(*meter));
	meter->has_cpu_clock = !clock_getcpuclockid(pid, &meter->cpu_clock);
	meter->wall_seconds = clock_monotonic_seconds();
	meter->pid = pid;
	meter->cpu_seconds = cpu_now_seconds(meter);
	read_waits(meter);
}

static struct record_target_hits hits_between(const struct record_target_hits *before,
					      const struct record_target_hits *after)
{
	return (struct record_target_hits){
		.allocations = after->allocations - before->allocations,
		.frees = after->frees - before->frees,
		.returns = after->returns - before->returns,
		.samples = after->samples - before->samples,
		.single_stepped = after->single_stepped - before->single_stepped,
		.rss_changes = after->rss_changes - before->rss_changes,
		.rss_samples = after->rss_samples - before->rss_samples,
	};
}

void target_meter_read(struct target_meter *meter, const struct probe_object *object, uint32_t slot,
		       const struct probe_costs *costs, bool is_exact, double share,
		       struct budget_look *look)
{
	struct target_meter before = *meter;
	struct record_target_hits hits;

	probe_object_hits(object, slot, &meter->hits);
	meter->wall_seconds = clock_monotonic_seconds();
	meter->cpu_seconds = cpu_now_seconds(meter);
	hits = hits_between(&before.hits, &meter->hits);
	look->wall_seconds = meter->wall_seconds - before.wall_seconds;
	look->cpu_seconds = meter->cpu_seconds - before.cpu_seconds;
	look->rss_seconds = probe_costs_rss_seconds(costs, &hits);
	look->probe_seconds = probe_costs_seconds(costs, &hits, is_exact, &look->sampled_seconds) +
			      look->rss_seconds;
	/* Within the budget even of the time that it ran, it doesn't matter how long it waited. */
	look->waited_seconds = 0;
	if (look->probe_seconds <= share * look->cpu_seconds)
		return;
	if (meter->wall_seconds - meter->waits_wall_seconds >= WAIT_SECONDS)
		read_waits(meter);
	look->waited_seconds = look->cpu_seconds * meter->wait_per_cpu;
}
