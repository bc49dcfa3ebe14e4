/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A recording: the memory of a process and its children over time, as `record` makes it and `plot`
 * draws it. docs/recording.md describes the file. Whoever wrote it, it is read with distrust.
 */
#ifndef MEMWATCH_CLI_RECORDING_H
#define MEMWATCH_CLI_RECORDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define RECORDING_VERSION 1
/* Above it a file is refused; what we write stays far below (recording_file.h). */
#define RECORDING_BYTES_MAX ((size_t)64 << 20)

struct recording_process {
	uint32_t id; /* rises from process to process */
	double pid, parent_pid;
	double seconds; /* when it was first seen */
	char *comm;     /* owned; whatever the process chose */
};

/* One process at one time. NAN: not known. */
struct recording_value {
	uint32_t id;
	double rss_bytes, pss_bytes, outstanding_bytes, allocated_bytes;
};

struct recording_sample {
	double seconds;     /* since the recording began */
	uint64_t missed;    /* samples that should have been between the one before and this */
	size_t first_value; /* of values */
	size_t value_count;
};

struct recording {
	double pid, interval_seconds;
	char *comm, *began; /* owned; began as in RFC 3339 */
	struct recording_process *processes;
	struct recording_sample *samples;
	struct recording_value *values;
	size_t process_count, sample_count, value_count;
	size_t process_capacity, sample_capacity, value_capacity;
	char *end_reason; /* owned; NULL: the recording was cut off */
	double end_seconds;
};

struct recording_error {
	char message[200];
};

void recording_clear(struct recording *recording);

/* All copy what they are given. A value belongs to the sample that was added last. */
void recording_add_process(struct recording *recording, const struct recording_process *process);
void recording_add_sample(struct recording *recording, double seconds, uint64_t missed);
void recording_add_value(struct recording *recording, const struct recording_value *value);

/* The process of an id; NULL: none. */
const struct recording_process *recording_process(const struct recording *recording, uint32_t id);
/* RSS of all processes in a sample, or what is outstanding; NAN when nothing is known of any. */
double recording_sample_rss(const struct recording *recording,
			    const struct recording_sample *sample);
double recording_sample_outstanding(const struct recording *recording,
				    const struct recording_sample *sample);

/*
 * Of each two neighbouring samples keeps the one with the greater RSS, so that peaks stay, and only
 * the processes that are in what is kept.
 */
void recording_thin(struct recording *recording);

/*
 * Fills an empty recording from a file's text. 0, or -1 and why not, to be shown after the file's
 * name; the recording is empty then. A last line that was cut off is no error.
 */
int recording_parse(struct recording *recording, const char *text, size_t bytes,
		    struct recording_error *error);
/* The same from a file. */
int recording_read(struct recording *recording, const char *path, struct recording_error *error);

/* Its lines, each with its end. */
void recording_write_start(FILE *stream, const struct recording *recording);
void recording_write_process(FILE *stream, const struct recording_process *process);
void recording_write_sample(FILE *stream, const struct recording *recording,
			    const struct recording_sample *sample);
void recording_write_end(FILE *stream, double seconds, const char *reason);
/* All of them. */
void recording_write(FILE *stream, const struct recording *recording);

#endif
