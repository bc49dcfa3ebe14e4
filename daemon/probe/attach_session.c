/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/attach.h"

#include "probe/shield.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include <linux/bpf.h>

/*
 * Numbers of the kernel's interface that older headers lack: attach types BPF_TRACE_UPROBE_MULTI
 * and BPF_TRACE_UPROBE_SESSION, and the uprobe_multi fields of BPF_LINK_CREATE
 * (include/uapi/linux/bpf.h of Linux 6.13).
 */
#define ATTACH_TYPE_UPROBE_MULTI   48
#define ATTACH_TYPE_UPROBE_SESSION 57

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

struct probe_link {
	int session_fd; /* -1: no function whose return matters */
	int alone_fd;   /* of the others; -1: none */
};

static int session_link_create(int program_fd, uint32_t attach_type, pid_t pid, const char *path,
			       const struct probe_point *points, size_t point_count)
{
	uint64_t *offsets = calloc(point_count * 3, sizeof(*offsets));
	uint64_t *cookies = offsets + point_count;
	uint64_t *reference_counters = cookies + point_count;
	struct link_create attributes = {.program_fd = (uint32_t)program_fd,
					 .attach_type = attach_type,
					 .path = (uintptr_t)path,
					 .offsets = (uintptr_t)offsets,
					 .reference_counter_offsets = (uintptr_t)reference_counters,
					 .cookies = (uintptr_t)cookies,
					 .count = (uint32_t)point_count,
					 .pid = (uint32_t)pid};
	int fd;

	if (!offsets)
		return -ENOMEM;
	for (size_t i = 0; i < point_count; i++) {
		offsets[i] = points[i].file_offset;
		cookies[i] = points[i].cookie;
		reference_counters[i] = points[i].reference_counter_offset;
	}
	fd = (int)shield_call(&(struct shielded_call){
		SYS_bpf, {BPF_LINK_CREATE, (uintptr_t)&attributes, sizeof(attributes)}});
	free(offsets);
	return fd;
}

/* Attaches the program at those of the points whose returns matter, or at the others. */
static int attach_some(int program_fd, bool needs_return, pid_t pid, const char *path,
		       const struct probe_point *points, size_t point_count, int *fd)
{
	struct probe_point *chosen = calloc(point_count, sizeof(*chosen));
	size_t count = 0;

	if (!chosen)
		return -ENOMEM;
	for (size_t i = 0; i < point_count; i++)
		if (probe_point_needs_return(&points[i]) == needs_return)
			chosen[count++] = points[i];
	if (count)
		*fd = session_link_create(program_fd,
					  needs_return ? ATTACH_TYPE_UPROBE_SESSION
						       : ATTACH_TYPE_UPROBE_MULTI,
					  pid, path, chosen, count);
	free(chosen);
	return count && *fd < 0 ? *fd : 0;
}

static void session_detach(struct probe_link *link)
{
	if (link->session_fd >= 0)
		shield_close(link->session_fd);
	if (link->alone_fd >= 0)
		shield_close(link->alone_fd);
	free(link);
}

static int session_attach(struct probe_object *object, pid_t pid, const char *path,
			  const struct probe_point *points, size_t point_count,
			  struct probe_link **link)
{
	struct probe_link *made = calloc(1, sizeof(*made));
	int error;

	if (!made)
		return -ENOMEM;
	made->session_fd = made->alone_fd = -1;
	/* Frees first: of no block that is seen the free is missed. */
	error = attach_some(probe_object_alone_fd(object), false, pid, path, points, point_count,
			    &made->alone_fd);
	if (!error)
		error = attach_some(probe_object_session_fd(object), true, pid, path, points,
				    point_count, &made->session_fd);
	if (error) {
		session_detach(made);
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
static int session_sweep(struct probe_object *object, pid_t pid, const char *path,
			 const struct probe_point *points, size_t point_count)
{
	int fd = session_link_create(probe_object_sweep_fd(object), ATTACH_TYPE_UPROBE_MULTI, pid,
				     path, points, point_count);

	if (fd < 0)
		return fd;
	shield_close(fd);
	return 0;
}

const struct probe_backend probe_backend_session = {
	.name = "session",
	.attach = session_attach,
	.sweep = session_sweep,
	.detach = session_detach,
};
