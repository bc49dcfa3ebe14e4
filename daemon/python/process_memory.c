/* SPDX-License-Identifier: Apache-2.0 */
#include "python/process_memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/uio.h>
#include <unistd.h>

#define PAGE_BYTES 4096ULL
/* Of one read: larger than anything that is read. */
#define READ_PAGES_MAX 1024

/* Documentation/admin-guide/mm/pagemap.rst */
#define PAGEMAP_PRESENT (1ULL << 63)
#define PAGEMAP_SWAPPED (1ULL << 62)

int process_memory_open(struct process_memory *memory, pid_t pid)
{
	char path[sizeof("/proc//pagemap") + 11];

	snprintf(path, sizeof(path), "/proc/%d/pagemap", pid);
	*memory =
		(struct process_memory){.pid = pid, .pagemap_fd = open(path, O_RDONLY | O_CLOEXEC)};
	if (memory->pagemap_fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	return 0;
}

void process_memory_close(struct process_memory *memory)
{
	if (memory->pagemap_fd >= 0)
		close(memory->pagemap_fd);
	memory->pagemap_fd = -1;
}

static int check_present(struct process_memory *memory, uint64_t address, size_t bytes)
{
	uint64_t first = address / PAGE_BYTES, last = (address + bytes - 1) / PAGE_BYTES;
	uint64_t entries[READ_PAGES_MAX];
	ssize_t wanted = (ssize_t)((last - first + 1) * sizeof(entries[0]));
	ssize_t length;

	if (last - first >= READ_PAGES_MAX)
		return -E2BIG;
	length = pread(memory->pagemap_fd, entries, (size_t)wanted,
		       (off_t)(first * sizeof(entries[0])));
	if (length < 0)
		return -errno;
	if (length != wanted)
		return -EFAULT;
	for (uint64_t i = 0; i <= last - first; i++) {
		if (entries[i] & PAGEMAP_PRESENT)
			continue;
		memory->absent_reads++;
		return entries[i] & PAGEMAP_SWAPPED ? -ENODATA : -ENXIO;
	}
	return 0;
}

static int read_present(void *context, uint64_t address, void *buffer, size_t bytes)
{
	struct process_memory *memory = context;
	struct iovec local = {.iov_base = buffer, .iov_len = bytes};
	/* An address of the other process: a number here. */
	struct iovec remote = {.iov_base = (void *)(uintptr_t)address, .iov_len = bytes};
	ssize_t length;
	int error;

	if (!bytes)
		return 0;
	if (address + bytes < address)
		return -EFAULT;
	error = check_present(memory, address, bytes);
	if (error)
		return error;
	length = process_vm_readv(memory->pid, &local, 1, &remote, 1, 0);
	if (length < 0)
		return -errno;
	return (size_t)length == bytes ? 0 : -EFAULT;
}

struct python_memory process_memory_reader(struct process_memory *memory)
{
	return (struct python_memory){.read = read_present, .context = memory};
}
