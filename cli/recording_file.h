/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file of a recording as it grows: a line is written whole as soon as it is known, so that
 * whatever interrupts us loses nothing but the sample of that moment. When the file has grown to
 * its bound, every second sample is taken out, and from then on the interval is twice as long.
 */
#ifndef MEMWATCH_CLI_RECORDING_FILE_H
#define MEMWATCH_CLI_RECORDING_FILE_H

#include "recording.h"

#define RECORDING_FILE_BYTES_MAX   ((size_t)8 << 20)
#define RECORDING_FILE_SAMPLES_MAX 8192

struct recording_file {
	const char *path; /* borrowed */
	int fd;
	size_t bytes, bytes_max, samples_max; /* the file's, and when it is thinned out */
	struct recording recording;           /* what is in it */
	bool is_failed;
};

/*
 * Replaces what was there, with the start alone. Takes over recording, which has no sample yet. 0,
 * or -1: why not was said on stderr.
 */
int recording_file_open(struct recording_file *file, const char *path, struct recording *recording);
/*
 * Both write at once. A sample is added to the recording with its values, then put; thinned out,
 * the recording has a longer interval afterwards, to be kept to.
 */
void recording_file_put_process(struct recording_file *file,
				const struct recording_process *process);
void recording_file_put_sample(struct recording_file *file);
/* 0, or -1 when not all could be written: that was said. Frees the recording. */
int recording_file_close(struct recording_file *file, double seconds, const char *reason);

#endif
