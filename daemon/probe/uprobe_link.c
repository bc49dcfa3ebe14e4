/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/uprobe_link.h"

#include "probe/shield.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/syscall.h>

#include <linux/bpf.h>

/* BPF_F_UPROBE_MULTI_RETURN of the same header. */
#define UPROBE_FLAG_RETURN 1

/* The uprobe_multi fields of BPF_LINK_CREATE. */
struct link_create {
	uint32_t program_fd;
	uint32_t target_fd;
	uint32_t attach_type;
	uint32_t flags;
	uint64_t path;
	uint64_t offsets;
	uint64_t reference_counter_offsets;
	uint64_t cookies;
	uint32_t count;
	uint32_t uprobe_flags;
	uint32_t pid;
	uint32_t zero;
};

static bool takes_in(enum uprobe_link_kind kind, const struct probe_point *point)
{
	switch (kind) {
	case UPROBE_LINK_ENTRIES:
		return true;
	case UPROBE_LINK_ALONE:
		return !point->needs_return;
	default:
		return point->needs_return;
	}
}

/*
 * One link of the program to those of the points, for the thread group pid alone. 0 and its
 * descriptor, -1 when the kind takes in none of the points; or -errno.
 */
static int link_open(int program_fd, enum uprobe_link_kind kind, pid_t pid, const char *path,
		     const struct probe_point *points, size_t point_count, int *fd)
{
	uint64_t *offsets = calloc(point_count * 3, sizeof(*offsets));
	uint64_t *cookies = offsets + point_count;
	uint64_t *reference_counters = cookies + point_count;
	struct link_create attributes = {
		.program_fd = (uint32_t)program_fd,
		.attach_type =
			kind == UPROBE_LINK_SESSIONS ? UPROBE_LINK_SESSION : UPROBE_LINK_MULTI,
		.path = (uintptr_t)path,
		.offsets = (uintptr_t)offsets,
		.reference_counter_offsets = (uintptr_t)reference_counters,
		.cookies = (uintptr_t)cookies,
		.uprobe_flags = kind == UPROBE_LINK_RETURNS ? UPROBE_FLAG_RETURN : 0,
		.pid = (uint32_t)pid,
	};
	uint32_t count = 0;

	*fd = -1;
	if (!offsets)
		return -ENOMEM;
	for (size_t i = 0; i < point_count; i++) {
		if (!takes_in(kind, &points[i]))
			continue;
		offsets[count] = points[i].file_offset;
		cookies[count] = points[i].cookie;
		reference_counters[count++] = points[i].reference_counter_offset;
	}
	attributes.count = count;
	if (count)
		*fd = (int)shield_call(&(struct shielded_call){
			SYS_bpf, {BPF_LINK_CREATE, (uintptr_t)&attributes, sizeof(attributes)}});
	free(offsets);
	return count && *fd < 0 ? *fd : 0;
}

/* -1 is fine. */
static void link_close(int fd)
{
	if (fd >= 0)
		shield_close(fd);
}

struct probe_link {
	int fds[2]; /* -1: that part takes in none of the points */
};

void uprobe_links_detach(struct probe_link *link)
{
	link_close(link->fds[1]);
	link_close(link->fds[0]);
	free(link);
}

int uprobe_links_attach(const struct probe_programs *programs,
			const struct uprobe_link_part parts[2], pid_t pid, const char *path,
			const struct probe_point *points, size_t point_count,
			struct probe_link **link)
{
	struct probe_link *made = malloc(sizeof(*made));
	int error = 0;

	if (!made)
		return -ENOMEM;
	*made = (struct probe_link){.fds = {-1, -1}};
	for (size_t i = 0; i < 2 && !error; i++)
		error = link_open(programs->fd[parts[i].program], parts[i].kind, pid, path, points,
				  point_count, &made->fds[i]);
	if (error) {
		uprobe_links_detach(made);
		return error;
	}
	*link = made;
	return 0;
}

/*
 * When a listener of a uprobe goes, the kernel goes over every process that maps the file and takes
 * the breakpoint out of those that no remaining listener wants (uprobe_unregister in
 * kernel/events/uprobes.c). So a listener that comes and goes sweeps the copies out.
 */
int uprobe_link_sweep(const struct probe_programs *programs, pid_t pid, const char *path,
		      const struct probe_point *points, size_t point_count)
{
	int fd;
	int error = link_open(programs->fd[PROBE_PROGRAM_SWEEP], UPROBE_LINK_ENTRIES, pid, path,
			      points, point_count, &fd);

	if (error)
		return error;
	link_close(fd);
	return 0;
}
