/* SPDX-License-Identifier: Apache-2.0 */
#include "instance.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* mkdir -p for the last component alone: a missing parent is a mistake in the configuration. */
static int make_directory(const char *path)
{
	struct stat status;

	if (!mkdir(path, 0750))
		return 0;
	if (errno != EEXIST)
		return -errno;
	if (stat(path, &status))
		return -errno;
	return S_ISDIR(status.st_mode) ? 0 : -ENOTDIR;
}

int instance_lock(const char *state_dir, char *message, size_t message_size)
{
	char path[PATH_MAX + 8];
	int error = make_directory(state_dir);
	int fd;

	if (error) {
		snprintf(message, message_size,
			 "cannot use state directory %s: %s (choose another by state_dir or "
			 "--state-dir)",
			 state_dir, strerror(-error));
		return error;
	}
	snprintf(path, sizeof(path), "%s/lock", state_dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (fd < 0) {
		error = -errno;
		snprintf(message, message_size, "cannot open %s: %s", path, strerror(-error));
		return error;
	}
	if (flock(fd, LOCK_EX | LOCK_NB)) {
		error = errno == EWOULDBLOCK ? -EBUSY : -errno;
		close(fd);
		snprintf(message, message_size,
			 error == -EBUSY ? "another memwatchd uses state directory %s (stop it, or "
					   "give this one a --state-dir and --socket of its own)"
					 : "cannot lock state directory %s",
			 state_dir);
		return error;
	}
	return fd;
}
