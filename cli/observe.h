/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Observing a process for a while: it is watched under a lease of ours, so that it is let go even
 * if we are killed, and is left as it was found.
 */
#ifndef MEMWATCH_CLI_OBSERVE_H
#define MEMWATCH_CLI_OBSERVE_H

#include "client.h"
#include "interrupt.h"

#include <stdint.h>

struct observation {
	struct client *client;       /* borrowed */
	struct interrupt *interrupt; /* borrowed */
	uint32_t pid;
	double seconds;
	const char *budget_arguments;     /* see command_budget_arguments(); borrowed */
	uint64_t sampling_interval_bytes; /* 0: what the daemon is configured for */

	uint64_t lease_id;
	double lease_end_seconds;  /* on the monotonic clock */
	struct client_error error; /* of OBSERVE_FAILED */
};

enum observe_result {
	OBSERVE_COMPLETE,
	OBSERVE_INTERRUPTED, /* by a signal */
	OBSERVE_ENDED,       /* the process exited, or somebody else ended the watch */
	OBSERVE_FAILED,      /* the daemon no longer answers as it should */
};

/* Takes the lease. 0, or -1 and the error. */
int observe_begin(struct observation *observation, struct client_error *error);
/* Lets the time pass, renewing the lease, with progress on stderr if that is a terminal. */
enum observe_result observe_wait(struct observation *observation);
/* Gives the lease back; the process stays watched for others. Not to be interrupted. */
void observe_end(struct observation *observation);

#endif
