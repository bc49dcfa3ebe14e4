/* SPDX-License-Identifier: Apache-2.0 */
#include "symbol/mapped_file.h"

#include "symbol/file_place.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/*
 * See file_place.h. A FUSE server can still delay us, but the kernel lets nobody but its owner use
 * a mount that isn't meant for others (fuse_allow_current_process).
 */
static int open_map_file(int proc_fd, const struct address_range *range)
{
	char name[sizeof("map_files/0123456789abcdef-0123456789abcdef")];
	int fd;

	snprintf(name, sizeof(name), "map_files/%" PRIx64 "-%" PRIx64, range->start, range->end);
	fd = openat(proc_fd, name, O_PATH | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int open_by_path(int proc_fd, const struct address_range *range)
{
	int root, fd;

	if (range->is_deleted || range->path[0] != '/')
		return -ENOENT;
	root = openat(proc_fd, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return -errno;
	fd = file_place_in_root(root, range->path);
	close(root);
	return fd;
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

static bool is_mapped_file(const struct address_range *range, const struct stat *status,
			   bool is_by_path)
{
	if (is_by_path)
		return status->st_ino == range->inode && is_plausible_device(range, status->st_dev);
	return status->st_ino == range->inode || !is_same_device(range, status->st_dev);
}

int mapped_file_open(int proc_fd, const struct address_range *range)
{
	int place = open_map_file(proc_fd, range);
	bool is_by_path = place < 0;
	struct stat status;
	int fd;

	if (is_by_path)
		place = open_by_path(proc_fd, range);
	if (place < 0)
		return place;
	fd = file_place_read(place, &status);
	close(place);
	if (fd >= 0 && !is_mapped_file(range, &status, is_by_path)) {
		close(fd);
		return -ESTALE;
	}
	return fd;
}
