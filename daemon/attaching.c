/* SPDX-License-Identifier: Apache-2.0 */
#include "attaching.h"

#include "log.h"
#include "target/seccomp_trial.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Opens it with the best back end that works: its trial was of small programs. */
static int open_object_with_backend(const struct probe_limits *limits, struct state *state,
				    struct probe_error *message)
{
	int error;

	do {
		state->backend = probe_backend_choose(&state->backends);
		error = probe_object_open(limits, state->backend, &state->object, message);
		if (error && state->backend)
			probe_backend_refuse(&state->backends, message->message);
	} while (error && error != -EPERM && state->backend);
	return error;
}

/* What was asked for by name is not replaced by something else, nor by nothing. */
static int check_backend(const struct config *config, const struct state *state)
{
	const char *wanted = config->attach_backend;
	char refused[700];

	probe_backend_explain(&state->backends, refused, sizeof(refused));
	if (!state->backend && strcmp(wanted, "auto") != 0) {
		log_write(LOG_ERROR,
			  "attach_backend = %s does not work here: %s (attach_backend = auto takes "
			  "what works)",
			  wanted, refused);
		return -ENOTSUP;
	}
	if (!state->backend)
		log_write(LOG_WARN,
			  "no attach back end works here, so that processes can't be watched and "
			  "only the host's counters work: %s",
			  refused);
	return 0;
}

int attaching_open(const struct config *config, struct state *state)
{
	const struct probe_limits limits = {.blocks_max = config->blocks_max,
					    .sites_max = config->sites_max,
					    .targets_max = config->targets_max,
					    .ring_buffer_bytes = config->ring_buffer_bytes};
	const char *wanted = config->attach_backend;
	struct probe_error message = {"out of memory"};
	int error;

	probe_backend_choice_init(&state->backends, strcmp(wanted, "auto") != 0 ? wanted : NULL);
	error = open_object_with_backend(&limits, state, &message);
	if (error)
		log_write(LOG_ERROR, "%s", message.message);
	return error ? error : check_backend(config, state);
}

static void try_seccomp(struct state *state)
{
	const struct seccomp_trial *trial = target_table_seccomp(state->targets);

	seccomp_trial_run(state->targets);
	if (trial->verdict != SECCOMP_HARMLESS)
		log_write(LOG_WARN,
			  "processes under a seccomp filter are not watched: of a child of our own "
			  "under one, %s",
			  trial->reason);
}

void attaching_calibrate(struct state *state)
{
	struct process_error message = {""};

	if (!state->backend) {
		snprintf(state->calibration_error, sizeof(state->calibration_error),
			 "no attach back end works here");
		return;
	}
	try_seccomp(state);
	if (!probe_costs_calibrate(state->targets, &state->costs, &message))
		return;
	memcpy(state->calibration_error, message.message, sizeof(state->calibration_error));
	log_write(LOG_WARN, "watching a child of our own failed: %s", message.message);
}
