/* SPDX-License-Identifier: Apache-2.0 */
#include "symbol/mapped_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/*
 * Every file is first opened as a mere place (O_PATH), which neither blocks nor has side effects as
 * opening a FIFO or a device would have; only a regular file is then opened for reading. A FUSE
 * server can still delay us, but the kernel lets nobody but its owner use a mount that isn't meant
 * for others (fuse_allow_current_process).
 */
static int open_map_file(int proc_fd, const struct address_range *range)
{
	char name[sizeof("map_files/0123456789abcdef-0123456789abcdef")];
	int fd;

	snprintf(name, sizeof(name), "map_files/%" PRIx64 "-%" PRIx64, range->start, range->end);
	fd = openat(proc_fd, name, O_PATH | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* Symbolic links of the target's root lead nowhere out of it. */
static int open_by_path(int proc_fd, const struct address_range *range)
{
	struct open_how how = {
		.flags = O_PATH | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	long fd;
	int root, error;

	if (range->is_deleted || range->path[0] != '/')
		return -ENOENT;
	root = openat(proc_fd, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return -errno;
	fd = syscall(SYS_openat2, root, range->path, &how, sizeof(how));
	error = errno;
	close(root);
	return fd < 0 ? -error : (int)fd;
}

static bool is_same_device(const struct address_range *range, dev_t device)
{
	return range->device_major == major(device) && range->device_minor == minor(device);
}

/* btrfs and overlayfs show one device number in maps and another in stat, both of major 0. */
static bool is_plausible_device(const struct address_range *range, dev_t device)
{
	return is_same_device(range, device) || (range->device_major == 0 && major(device) == 0);
}

/* Opens for reading what path_fd names. */
static int reopen(int path_fd)
{
	char name[sizeof("/proc/self/fd/") + 10];
	int fd;

	snprintf(name, sizeof(name), "/proc/self/fd/%d", path_fd);
	fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	return fd < 0 ? -errno : fd;
}

int mapped_file_open(int proc_fd, const struct address_range *range)
{
	int path_fd = open_map_file(proc_fd, range);
	bool is_by_path = path_fd < 0;
	struct stat status;
	int result;

	if (is_by_path)
		path_fd = open_by_path(proc_fd, range);
	if (path_fd < 0)
		return path_fd;
	if (fstat(path_fd, &status))
		result = -errno;
	else if (!S_ISREG(status.st_mode))
		result = -ENOEXEC;
	else if (is_by_path ? status.st_ino != range->inode ||
				      !is_plausible_device(range, status.st_dev)
			    : status.st_ino != range->inode && is_same_device(range, status.st_dev))
		result = -ESTALE;
	else
		result = reopen(path_fd);
	close(path_fd);
	return result;
}
