/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/perf_uprobe.h"

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
	struct uprobe_pmu pmu;
	int error = pmu_describe(&pmu);
	int fd;

	if (error)
		return error;
	if (counter_offset << pmu.reference_counter_shift >> pmu.reference_counter_shift !=
	    counter_offset)
		return -EOVERFLOW;
	attributes.type = pmu.type;
	attributes.config = counter_offset << pmu.reference_counter_shift;
	if (is_return)
		attributes.config |= 1ULL << pmu.return_bit;
	fd = (int)syscall(SYS_perf_event_open, &attributes, pid, -1, -1, PERF_FLAG_FD_CLOEXEC);
	return fd < 0 ? -errno : fd;
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
		perf_uprobe_close_later(&event_fd, 1);
		return fd;
	}
	close(event_fd); /* the link holds the event */
	return fd;
}

/* ---- Closing ---- */

/*
 * The probes of some 50 targets. Beyond that whoever detaches waits: each probe that is still to be
 * removed slows its process down, and watching again and again must not pile them up.
 */
#define CLOSING_MAX 1024

static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	int fds[CLOSING_MAX]; /* a ring */
	size_t first, count;
	unsigned pauses;
	bool is_closing; /* one is being closed right now */
	bool is_running; /* the thread */
} closing = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void close_first_locked(void)
{
	int fd = closing.fds[closing.first];

	closing.first = (closing.first + 1) % CLOSING_MAX;
	closing.count--;
	closing.is_closing = true;
	pthread_mutex_unlock(&closing.lock);
	close(fd);
	pthread_mutex_lock(&closing.lock);
	closing.is_closing = false;
	pthread_cond_broadcast(&closing.changed);
}

static void *close_all(void *unused)
{
	pthread_mutex_lock(&closing.lock);
	while (closing.count) {
		if (closing.pauses)
			pthread_cond_wait(&closing.changed, &closing.lock);
		else
			close_first_locked();
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

static void close_later_locked(int fd)
{
	bool is_started = start_closing_locked();

	while (is_started && closing.count == CLOSING_MAX && !closing.pauses)
		pthread_cond_wait(&closing.changed, &closing.lock);
	if (!is_started || closing.count == CLOSING_MAX) {
		close(fd);
		return;
	}
	closing.fds[(closing.first + closing.count++) % CLOSING_MAX] = fd;
}

void perf_uprobe_close_later(const int *fds, size_t count)
{
	pthread_mutex_lock(&closing.lock);
	for (size_t i = 0; i < count; i++)
		close_later_locked(fds[i]);
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
