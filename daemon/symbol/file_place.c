/* SPDX-License-Identifier: Apache-2.0 */
#include "symbol/file_place.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

int file_place_in_root(int root_fd, const char *path)
{
	struct open_how how = {
		.flags = O_PATH | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	long fd = syscall(SYS_openat2, root_fd, path, &how, sizeof(how));

	return fd < 0 ? -errno : (int)fd;
}

int file_place_read(int place_fd, struct stat *status)
{
	char name[sizeof("/proc/self/fd/") + 10];
	int fd;

	if (fstat(place_fd, status))
		return -errno;
	if (!S_ISREG(status->st_mode))
		return -ENOEXEC;
	snprintf(name, sizeof(name), "/proc/self/fd/%d", place_fd);
	fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	return fd < 0 ? -errno : fd;
}

bool file_place_is_of_process(int proc_fd, const struct stat *status)
{
	struct stat process;

	return status->st_uid == 0 ||
	       (!fstatat(proc_fd, "stat", &process, 0) && process.st_uid == status->st_uid);
}
