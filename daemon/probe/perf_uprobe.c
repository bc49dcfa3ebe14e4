/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/perf_uprobe.h"

#include "probe/shield.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/bpf.h>
#include <linux/perf_event.h>

#define PMU_DIRECTORY "/sys/bus/event_source/devices/uprobe/"

/* ---- The kernel's description of its perf uprobes ---- */

struct uprobe_pmu {
	uint32_t type;
	unsigned return_bit;              /* of attr.config: probe the return */
	unsigned reference_counter_shift; /* of attr.config: where its file offset begins */
};

/* Reads a number behind the prefix in one of the PMU's files. 0 or -errno. */
static int pmu_read(const char *name, const char *prefix, unsigned *number)
{
	char path[128], text[64] = "";
	int fd, error = 0;
	char *end;

	snprintf(path, sizeof(path), PMU_DIRECTORY "%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (read(fd, text, sizeof(text) - 1) < 0)
		error = -errno;
	close(fd);
	if (error)
		return error;
	if (strncmp(text, prefix, strlen(prefix)) != 0)
		return -EINVAL;
	errno = 0;
	*number = (unsigned)strtoul(text + strlen(prefix), &end, 10);
	return end == text + strlen(prefix) || errno ? -EINVAL : 0;
}

static int pmu_describe(struct uprobe_pmu *pmu)
{
	int error = pmu_read("type", "", &pmu->type);

	error = error ? error : pmu_read("format/retprobe", "config:", &pmu->return_bit);
	if (error)
		return error;
	error = pmu_read("format/ref_ctr_offset", "config:", &pmu->reference_counter_shift);
	return error || pmu->return_bit > 63 || pmu->reference_counter_shift > 63 ? -EINVAL : 0;
}

/* ---- Opening ---- */

static int event_open(bool is_return, pid_t pid, const char *path, const struct probe_point *point)
{
	struct perf_event_attr attributes = {.size = sizeof(attributes),
					     .config1 = (uintptr_t)path,
					     .config2 = point->file_offset,
					     /* It counts nothing; its program runs all the same. */
					     .disabled = 1};
	uint64_t counter_offset = point->reference_counter_offset;
	struct uprobe_pmu pmu = {0};
	int error = pmu_describe(&pmu);

	if (error)
		return error;
	if (counter_offset << pmu.reference_counter_shift >> pmu.reference_counter_shift !=
	    counter_offset)
		return -EOVERFLOW;
	attributes.type = pmu.type;
	attributes.config = counter_offset << pmu.reference_counter_shift;
	if (is_return)
		attributes.config |= 1ULL << pmu.return_bit;
	return (int)shield_call(&(struct shielded_call){
		SYS_perf_event_open,
		{(uintptr_t)&attributes, (unsigned long)pid, -1UL, -1UL, PERF_FLAG_FD_CLOEXEC}});
}

int perf_uprobe_open(int program_fd, bool is_return, pid_t pid, const char *path,
		     const struct probe_point *point)
{
	int event_fd = event_open(is_return, pid, path, point);
	union bpf_attr attributes;
	int fd;

	if (event_fd < 0)
		return event_fd;
	memset(&attributes, 0, sizeof(attributes));
	attributes.link_create.prog_fd = (uint32_t)program_fd;
	attributes.link_create.target_fd = (uint32_t)event_fd;
	attributes.link_create.attach_type = BPF_PERF_EVENT;
	attributes.link_create.perf_event.bpf_cookie = point->cookie;
	fd = (int)syscall(SYS_bpf, BPF_LINK_CREATE, &attributes, sizeof(attributes));
	if (fd < 0) {
		fd = -errno;
		perf_uprobe_close_later(&event_fd, 1, pid);
		return fd;
	}
	close(event_fd); /* the link holds the event */
	return fd;
}

/* ---- Closing ---- */

/*
 * Probes of processes that live go before those of dead ones, which harm nobody any more. Of the
 * former no more than some 50 targets have may wait, of the latter what a host's churn brings; then
 * whoever detaches waits: each probe that is still to be removed slows its process down, and
 * watching again and again must not pile them up.
 */
#define LIVING_MAX 2048
#define DEAD_MAX   8192

struct queue {
	int *fds; /* a ring */
	size_t size, first, count;
};

static int living_fds[LIVING_MAX], dead_fds[DEAD_MAX];

static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct queue living, dead;
	unsigned pauses;
	bool is_closing; /* one is being closed right now */
	bool is_running; /* the thread */
} closing = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.changed = PTHREAD_COND_INITIALIZER,
	.living = {.fds = living_fds, .size = LIVING_MAX},
	.dead = {.fds = dead_fds, .size = DEAD_MAX},
};

static int queue_take(struct queue *queue)
{
	int fd = queue->fds[queue->first];

	queue->first = (queue->first + 1) % queue->size;
	queue->count--;
	return fd;
}

static void queue_add(struct queue *queue, int fd)
{
	queue->fds[(queue->first + queue->count++) % queue->size] = fd;
}

static void close_one_locked(void)
{
	int fd = queue_take(closing.living.count ? &closing.living : &closing.dead);

	closing.is_closing = true;
	pthread_mutex_unlock(&closing.lock);
	shield_close(fd);
	pthread_mutex_lock(&closing.lock);
	closing.is_closing = false;
	pthread_cond_broadcast(&closing.changed);
}

static void *close_all(void *unused)
{
	pthread_mutex_lock(&closing.lock);
	while (closing.living.count || closing.dead.count) {
		if (closing.pauses)
			pthread_cond_wait(&closing.changed, &closing.lock);
		else
			close_one_locked();
	}
	closing.is_running = false;
	pthread_mutex_unlock(&closing.lock);
	return unused;
}

static bool start_closing_locked(void)
{
	pthread_attr_t attributes;
	pthread_t thread;

	if (closing.is_running)
		return true;
	if (pthread_attr_init(&attributes))
		return false;
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	closing.is_running = !pthread_create(&thread, &attributes, close_all, NULL);
	pthread_attr_destroy(&attributes);
	return closing.is_running;
}

static void close_later_locked(struct queue *queue, int fd)
{
	bool is_started = start_closing_locked();

	while (is_started && queue->count == queue->size && !closing.pauses)
		pthread_cond_wait(&closing.changed, &closing.lock);
	/* Whoever has made the pause must not wait for its end. */
	if (!is_started || queue->count == queue->size)
		shield_close(fd);
	else
		queue_add(queue, fd);
}

/* The size of a zombie's memory reads 0. */
static bool is_living(pid_t pid)
{
	char path[64], first = '0';
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/statm", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	if (read(fd, &first, 1) != 1)
		first = '0';
	close(fd);
	return first != '0';
}

void perf_uprobe_close_later(const int *fds, size_t count, pid_t pid)
{
	struct queue *queue = is_living(pid) ? &closing.living : &closing.dead;

	pthread_mutex_lock(&closing.lock);
	for (size_t i = 0; i < count; i++)
		close_later_locked(queue, fds[i]);
	pthread_mutex_unlock(&closing.lock);
}

void perf_uprobe_closing_pause(void)
{
	pthread_mutex_lock(&closing.lock);
	closing.pauses++;
	while (closing.is_closing)
		pthread_cond_wait(&closing.changed, &closing.lock);
	pthread_mutex_unlock(&closing.lock);
}

void perf_uprobe_closing_resume(void)
{
	pthread_mutex_lock(&closing.lock);
	closing.pauses--;
	pthread_cond_broadcast(&closing.changed);
	pthread_mutex_unlock(&closing.lock);
}
