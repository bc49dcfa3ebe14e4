/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Snapshots: what a process held, with all its stacks, in a file to be compared later. Gzip around
 * JSON, as docs/api.md says; they may come from anybody, so nothing in one is taken on trust.
 */
#ifndef MEMWATCH_CLI_SNAPSHOT_FILE_H
#define MEMWATCH_CLI_SNAPSHOT_FILE_H

#include <cjson/cJSON.h>
#include <stddef.h>
#include <stdio.h>
#include <time.h>

/* Of the files that are written. Older ones are read, newer ones are refused. */
#define SNAPSHOT_VERSION 1

/* Of the JSON: as much as an answer of the daemon may be. */
#define SNAPSHOT_TEXT_BYTES_MAX ((size_t)512 << 20)

struct snapshot {
	cJSON *json;          /* the file's */
	const cJSON *account; /* as /stacks answers; within it */
};

/* What is wrong with a file, in words that follow its name. May hold bytes of the file's. */
struct snapshot_error {
	char message[200];
};

/* account: the JSON of /stacks as it came. 0 or -errno. */
int snapshot_write(FILE *out, const char *account, time_t taken);

/* 0, or -EINVAL with the error. */
int snapshot_parse(const void *bytes, size_t length, size_t text_bytes_max,
		   struct snapshot *snapshot, struct snapshot_error *error);
/* 0, or -1: why not was said on stderr. */
int snapshot_read(const char *path, struct snapshot *snapshot);
void snapshot_release(struct snapshot *snapshot);

#endif
