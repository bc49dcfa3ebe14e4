/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Source text of a running process, as it sees its files itself: in its root folder and its mount
 * namespace. A process names whatever file it likes, so what it could not open itself is not shown:
 * files are opened with its user's rights, none outside of its root, and regular ones alone.
 */
#ifndef MEMWATCH_CLI_SOURCE_FILE_H
#define MEMWATCH_CLI_SOURCE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

/* Larger files are not read. */
#define SOURCE_BYTES_MAX ((size_t)4 << 20)

struct source_root {
	int root_fd;    /* -1: it can't be had */
	int cwd_fd;     /* for names that are relative; -1 likewise */
	time_t started; /* the process */
	uid_t uid;      /* for files, as the kernel would check it */
	gid_t gid;
};

/* Of a process whose start is known. 0 or -errno; to close in any case. */
int source_root_open(struct source_root *root, pid_t pid, time_t started);
void source_root_close(struct source_root *root);

struct source_file {
	char *text; /* NULL: not readable */
	const char **lines;
	size_t *line_bytes;
	size_t line_count;
	bool is_newer;     /* changed since the process started: lines may have moved */
	char problem[120]; /* why not; "" where there is nothing to be read */
};

void source_read(const struct source_root *root, const char *path, struct source_file *file);
/* From 1 on, without line break and blanks at the end. To free; NULL: there is none. */
char *source_line(const struct source_file *file, uint32_t line);
void source_release(struct source_file *file);

#endif
