/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/uprobe_link.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

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

int uprobe_link_create(int program_fd, uint32_t attach_type, enum uprobe_link_end end, pid_t pid,
		       const char *path, const struct probe_point *points, size_t point_count)
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
					 .pid = (uint32_t)pid};
	uint32_t count = 0;
	int fd;

	if (!offsets)
		return -ENOMEM;
	if (end == UPROBE_LINK_RETURN)
		attributes.uprobe_flags = UPROBE_FLAG_RETURN;
	for (size_t i = 0; i < point_count; i++) {
		if (end == UPROBE_LINK_RETURN && !points[i].needs_return)
			continue;
		offsets[count] = points[i].file_offset;
		cookies[count] = points[i].cookie;
		reference_counters[count++] = points[i].reference_counter_offset;
	}
	attributes.count = count;
	fd = (int)syscall(SYS_bpf, BPF_LINK_CREATE, &attributes, sizeof(attributes));
	if (fd < 0)
		fd = -errno;
	free(offsets);
	return fd;
}

void uprobe_link_close(int fd)
{
	close(fd);
}

/*
 * When a listener of a uprobe goes, the kernel goes over every process that maps the file and takes
 * the breakpoint out of those that no remaining listener wants (uprobe_unregister in
 * kernel/events/uprobes.c). So a listener that comes and goes sweeps the copies out.
 */
int uprobe_link_sweep(const struct probe_programs *programs, pid_t pid, const char *path,
		      const struct probe_point *points, size_t point_count)
{
	int fd = uprobe_link_create(programs->fd[PROBE_PROGRAM_SWEEP], UPROBE_LINK_MULTI,
				    UPROBE_LINK_ENTRY, pid, path, points, point_count);

	if (fd < 0)
		return fd;
	uprobe_link_close(fd);
	return 0;
}
