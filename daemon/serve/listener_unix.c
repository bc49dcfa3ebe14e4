/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 128

/* How often another starting or dying daemon may get in between. */
#define PUBLISH_TRIES 10

/*
 * The address of a name in our directory. Through /proc it stays short however deep the directory
 * is: the name of the path itself may use up all 107 bytes there are.
 */
static void set_address(struct sockaddr_un *address, int directory_fd, const char *name)
{
	*address = (struct sockaddr_un){.sun_family = AF_UNIX};
	snprintf(address->sun_path, sizeof(address->sun_path), "/proc/self/fd/%d/%.80s",
		 directory_fd, name);
}

/* 1: somebody listens there. 0: nobody does, or there is no such file. Or -errno. */
static int is_listened_on(int directory_fd, const char *name)
{
	struct sockaddr_un address;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int result = 1;

	if (fd < 0)
		return -errno;
	set_address(&address, directory_fd, name);
	/* EAGAIN: listened on, with a full backlog. */
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0 && errno != EAGAIN)
		result = errno == ECONNREFUSED || errno == ENOENT ? 0 : -errno;
	close(fd);
	return result;
}

/*
 * Removes the socket file that a dead process left. It is first moved aside and looked at again,
 * lest it be a fresh one that another daemon put there since we looked.
 */
static int remove_stale(int directory_fd, const char *name)
{
	char aside[64];
	struct stat status;
	int result;

	if (fstatat(directory_fd, name, &status, AT_SYMLINK_NOFOLLOW) != 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(status.st_mode))
		return -EEXIST;
	result = is_listened_on(directory_fd, name);
	if (result != 0)
		return result < 0 ? result : -EADDRINUSE;

	snprintf(aside, sizeof(aside), ".memwatchd-%d.stale", (int)getpid());
	if (renameat(directory_fd, name, directory_fd, aside) != 0)
		return errno == ENOENT ? 0 : -errno;
	result = is_listened_on(directory_fd, aside);
	if (result != 0) {
		renameat2(directory_fd, aside, directory_fd, name, RENAME_NOREPLACE);
		return result < 0 ? result : -EADDRINUSE;
	}
	return unlinkat(directory_fd, aside, 0) == 0 ? 0 : -errno;
}

/* Gives the listening socket at the name `from` its place, taking that of a dead one. */
static int publish(int directory_fd, const char *from, const char *name)
{
	for (int try = 0; try < PUBLISH_TRIES; try++) {
		int err;

		if (renameat2(directory_fd, from, directory_fd, name, RENAME_NOREPLACE) == 0)
			return 0;
		if (errno != EEXIST)
			return -errno;
		err = remove_stale(directory_fd, name);
		if (err)
			return err;
	}
	return -EADDRINUSE;
}

/* Binds and listens under a name of our own, then publishes it. Fills fd, device and inode. */
static int bind_and_publish(struct unix_listener *listener)
{
	char name[64];
	char address_path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	struct sockaddr_un address;
	struct stat status = {0};
	int err;

	snprintf(name, sizeof(name), ".memwatchd-%d.new", (int)getpid());
	set_address(&address, listener->directory_fd, name);
	memcpy(address_path, address.sun_path, sizeof(address_path));
	listener->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (listener->fd < 0)
		return -errno;
	/* Of a process that had our pid and died half way. */
	unlinkat(listener->directory_fd, name, 0);
	if (bind(listener->fd, (struct sockaddr *)&address, sizeof(address)) != 0)
		return -errno;
	if (chmod(address_path, 0666) != 0 || listen(listener->fd, BACKLOG) != 0 ||
	    fstatat(listener->directory_fd, name, &status, AT_SYMLINK_NOFOLLOW) != 0)
		err = -errno;
	else
		err = publish(listener->directory_fd, name, listener->name);
	if (err) {
		unlinkat(listener->directory_fd, name, 0);
		return err;
	}
	listener->device = status.st_dev;
	listener->inode = status.st_ino;
	return 0;
}

/* Opens the directory of the path and sets the name in it. */
static int open_directory(const char *path, struct unix_listener *listener)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	char directory[PATH_MAX] = ".";

	if (name[0] == '\0')
		return -EISDIR;
	if (strlen(path) >= sizeof(listener->name))
		return -ENAMETOOLONG;
	memcpy(listener->name, name, strlen(name) + 1);
	if (slash)
		snprintf(directory, sizeof(directory), "%.*s", (int)(slash - path + 1), path);
	if (mkdir(directory, 0755) != 0 && errno != EEXIST && errno != EROFS)
		return -errno;
	listener->directory_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return listener->directory_fd < 0 ? -errno : 0;
}

static void explain(struct server_error *error, const char *path, int err)
{
	switch (err) {
	case -EADDRINUSE:
		server_error_set(error,
				 "cannot listen on %s: another memwatchd answers there "
				 "(stop it, or choose another path with --socket)",
				 path);
		break;
	case -EEXIST:
		server_error_set(error,
				 "cannot listen on %s: it exists and is not a socket "
				 "(remove it, or choose another path with --socket)",
				 path);
		break;
	case -ENAMETOOLONG:
		server_error_set(
			error, "cannot listen on %s: a socket's path has at most 107 bytes", path);
		break;
	default:
		server_error_set(error, "cannot listen on %s: %s", path, strerror(-err));
	}
}

int listener_open_unix(const char *path, struct unix_listener *listener, struct server_error *error)
{
	int err;

	*listener = (struct unix_listener){.fd = -1, .directory_fd = -1};
	err = open_directory(path, listener);
	if (!err)
		err = bind_and_publish(listener);
	if (err) {
		explain(error, path, err);
		listener_close_unix(listener);
	}
	return err;
}

void listener_remove_unix(struct unix_listener *listener)
{
	struct stat status;

	if (listener->directory_fd < 0 || listener->inode == 0)
		return;
	if (fstatat(listener->directory_fd, listener->name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
	    status.st_dev == listener->device && status.st_ino == listener->inode)
		unlinkat(listener->directory_fd, listener->name, 0);
	listener->inode = 0;
}

void listener_close_unix(struct unix_listener *listener)
{
	listener_remove_unix(listener);
	if (listener->fd >= 0)
		close(listener->fd);
	if (listener->directory_fd >= 0)
		close(listener->directory_fd);
	listener->fd = listener->directory_fd = -1;
}
