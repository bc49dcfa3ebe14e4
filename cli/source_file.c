/* SPDX-License-Identifier: Apache-2.0 */
#include "source_file.h"

#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#ifndef FUSE_SUPER_MAGIC
#define FUSE_SUPER_MAGIC 0x65735546
#endif

/* A longer line is no source that anybody would read. */
#define SOURCE_LINE_BYTES_MAX 400

/* ---- Where a process's files are ---- */

/* "Uid:	1000	1000	1000	1000": the fourth number, that for files. Whether it is this
 * line. */
static bool parse_file_id(const char *line, const char *name, unsigned int *id)
{
	size_t name_length = strlen(name);
	unsigned long number = 0;
	char *end = NULL;

	if (strncmp(line, name, name_length) != 0)
		return false;
	line += name_length;
	for (int i = 0; i < 4; i++) {
		number = strtoul(line, &end, 10);
		if (end == line || number > UINT32_MAX)
			return false;
		line = end;
	}
	*id = (unsigned int)number;
	return true;
}

static int read_rights(int process_fd, struct source_root *root)
{
	int fd = openat(process_fd, "status", O_RDONLY | O_CLOEXEC);
	FILE *status = fd < 0 ? NULL : fdopen(fd, "r");
	bool has_uid = false, has_gid = false;
	char line[256];

	if (!status) {
		int error = -errno;

		if (fd >= 0)
			close(fd);
		return error;
	}
	while (fgets(line, sizeof(line), status)) {
		has_uid |= parse_file_id(line, "Uid:", &root->uid);
		has_gid |= parse_file_id(line, "Gid:", &root->gid);
	}
	fclose(status);
	return has_uid && has_gid ? 0 : -ESRCH;
}

int source_root_open(struct source_root *root, pid_t pid, time_t started)
{
	char path[32];
	int process_fd, error = 0;

	*root = (struct source_root){.root_fd = -1, .cwd_fd = -1, .started = started};
	snprintf(path, sizeof(path), "/proc/%d", (int)pid);
	/* All that is opened from here is of this process, though its pid be used again. */
	process_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (process_fd < 0)
		return -errno;
	error = read_rights(process_fd, root);
	if (!error) {
		root->root_fd = openat(process_fd, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
		root->cwd_fd = openat(process_fd, "cwd", O_PATH | O_DIRECTORY | O_CLOEXEC);
		error = root->root_fd < 0 ? -errno : 0;
	}
	close(process_fd);
	return error;
}

void source_root_close(struct source_root *root)
{
	if (root->root_fd >= 0)
		close(root->root_fd);
	if (root->cwd_fd >= 0)
		close(root->cwd_fd);
	root->root_fd = root->cwd_fd = -1;
}

/* ---- Opening ---- */

/* Links lead nowhere but into the root; names that are relative, nowhere but below the folder. */
static int open_path(const struct source_root *root, const char *path)
{
	bool is_absolute = path[0] == '/';
	struct open_how how = {
		.flags = O_PATH | O_CLOEXEC,
		.resolve =
			RESOLVE_NO_MAGICLINKS | (is_absolute ? RESOLVE_IN_ROOT : RESOLVE_BENEATH),
	};
	long fd = syscall(SYS_openat2, is_absolute ? root->root_fd : root->cwd_fd, path, &how,
			  sizeof(how));

	return fd < 0 ? -errno : (int)fd;
}

/* Why it is not to be opened for reading; NULL: it may be. Nothing has been so far. */
static const char *find_fault(int path_fd, struct stat *status)
{
	struct statfs file_system;

	if (fstat(path_fd, status) != 0 || fstatfs(path_fd, &file_system) != 0)
		return strerror(errno);
	if (!S_ISREG(status->st_mode))
		return "not a regular file";
	if ((size_t)status->st_size > SOURCE_BYTES_MAX)
		return "too large";
	/* Whoever serves it may let us wait for ever. */
	if (file_system.f_type == FUSE_SUPER_MAGIC)
		return "on a file system that a user serves";
	return NULL;
}

/* O_PATH has opened nothing, whatever it is: only now, that it is known to be a file. */
static int open_for_reading(int path_fd)
{
	char path[40];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", path_fd);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

/*
 * Only root can take on the rights of another; for everybody else the kernel has checked that the
 * process is theirs before it gave its root. Groups are given up for good: nothing needs them.
 * false: they could not be had.
 */
static bool take_rights(const struct source_root *root)
{
	if (geteuid() != 0)
		return true;
	if (setgroups(0, NULL) != 0)
		return false;
	setfsgid(root->gid);
	setfsuid(root->uid);
	/* They say nothing of success but what is in force. */
	return (gid_t)setfsgid((gid_t)-1) == root->gid && (uid_t)setfsuid((uid_t)-1) == root->uid;
}

static void give_rights_back(void)
{
	setfsuid(geteuid());
	setfsgid(getegid());
}

/* ---- Reading ---- */

static size_t read_text(int fd, char *text, size_t bytes_max)
{
	size_t length = 0;

	while (length < bytes_max) {
		ssize_t got = read(fd, text + length, bytes_max - length);

		if (got <= 0)
			break;
		length += (size_t)got;
	}
	return length;
}

static void split_lines(struct source_file *file, size_t length)
{
	const char *at = file->text, *end = file->text + length;
	size_t count = 1;

	for (const char *byte = at; byte < end; byte++)
		count += *byte == '\n';
	file->lines = calloc(count, sizeof(*file->lines));
	file->line_bytes = calloc(count, sizeof(*file->line_bytes));
	if (!file->lines || !file->line_bytes)
		text_fail_out_of_memory();
	while (at < end) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		size_t bytes = (size_t)((newline ? newline : end) - at);

		file->lines[file->line_count] = at;
		file->line_bytes[file->line_count++] = bytes;
		at += bytes + 1;
	}
}

/* An error of the kernel's or NULL. */
static const char *read_at(const struct source_root *root, int path_fd, struct source_file *file)
{
	struct stat status;
	const char *fault = find_fault(path_fd, &status);
	int fd;

	if (fault)
		return fault;
	fd = open_for_reading(path_fd);
	if (fd < 0)
		return strerror(-fd);
	file->text = malloc(SOURCE_BYTES_MAX);
	if (!file->text)
		text_fail_out_of_memory();
	split_lines(file, read_text(fd, file->text, SOURCE_BYTES_MAX));
	file->is_newer = status.st_mtim.tv_sec > root->started;
	close(fd);
	return NULL;
}

void source_read(const struct source_root *root, const char *path, struct source_file *file)
{
	const char *fault = "the rights of its user cannot be taken on";
	int path_fd = -1;

	*file = (struct source_file){0};
	/* "<string>", "<frozen importlib._bootstrap>" */
	if (path[0] == '<' || path[0] == '\0')
		return;
	if (root->root_fd < 0) {
		snprintf(file->problem, sizeof(file->problem), "the process's files are not seen");
		return;
	}
	if (take_rights(root)) {
		path_fd = open_path(root, path);
		fault = path_fd < 0 ? strerror(-path_fd) : read_at(root, path_fd, file);
	}
	give_rights_back();
	if (path_fd >= 0)
		close(path_fd);
	if (fault)
		snprintf(file->problem, sizeof(file->problem), "%s", fault);
}

char *source_line(const struct source_file *file, uint32_t line)
{
	const char *text;
	size_t bytes;

	if (line == 0 || line > file->line_count)
		return NULL;
	text = file->lines[line - 1];
	bytes = file->line_bytes[line - 1];
	if (bytes > SOURCE_LINE_BYTES_MAX)
		bytes = SOURCE_LINE_BYTES_MAX;
	while (bytes > 0 && strchr(" \t\r", text[bytes - 1]))
		bytes--;
	/* A NUL ends it. */
	return text_format("%.*s", (int)bytes, text);
}

void source_release(struct source_file *file)
{
	free(file->text);
	free(file->lines);
	free(file->line_bytes);
	*file = (struct source_file){0};
}
