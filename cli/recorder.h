/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Takes samples of a process and its children into a recording: RSS by /proc, which goes on without
 * memwatchd, and by memwatchd what is outstanding of those that are watched.
 */
#ifndef MEMWATCH_CLI_RECORDER_H
#define MEMWATCH_CLI_RECORDER_H

#include "client.h"

#include <stdbool.h>
#include <sys/types.h>

struct recorder_options {
	pid_t pid;
	const char *path; /* of the file; borrowed */
	const char *comm; /* of the process; NULL: as it is called now. Borrowed */
	double interval_seconds;
	bool has_children; /* they are recorded too */
	bool has_pss;      /* dear: the kernel goes through the page tables */
	bool is_watching;  /* who is recorded is watched meanwhile, under leases of ours */
};

struct recorder;

/* NULL: why not was said on stderr, and *exit_code is how to end. The client is borrowed. */
struct recorder *recorder_new(struct client *client, const struct recorder_options *options,
			      int *exit_code);
/* Takes a sample when one is due. Whether the process still lives and the file takes what we write.
 */
bool recorder_go_on(struct recorder *recorder);
/* How long until the next one is due, 0 if it is. */
double recorder_wait_seconds(const struct recorder *recorder);
/*
 * Gives the leases back and ends the file; reason: "exited", "interrupted" or "time". Frees. 0, or
 * -1 when something could not be written: that was said.
 */
int recorder_finish(struct recorder *recorder, const char *reason);

#endif
