/* SPDX-License-Identifier: Apache-2.0 */
/* A file that is there as a whole or not at all. */
#ifndef MEMWATCH_CLI_OUTPUT_FILE_H
#define MEMWATCH_CLI_OUTPUT_FILE_H

#include <stdio.h>

struct output_file {
	const char *path;
	char *temporary; /* beside it */
	FILE *stream;
};

/* Writes go to stream. 0, or -1: why not was said on stderr. The path is borrowed. */
int output_file_open(struct output_file *file, const char *path);
/* Puts it in its place, replacing what was there. 0, or -1, said on stderr: nothing is left. */
int output_file_close(struct output_file *file);
/*
 * Leaves nothing, and what was there before as it was. error: the reason, of ours (-errno), which
 * is said; 0: it has been.
 */
void output_file_discard(struct output_file *file, int error);

#endif
