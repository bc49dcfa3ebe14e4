/* SPDX-License-Identifier: Apache-2.0 */
#include "observe.h"

#include "json.h"
#include "number.h"
#include "render.h"
#include "text.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/*
 * A lease covers a minute of observation at most, so that a process is let go soon after we are
 * killed, and some time on top for a daemon that is slow to answer.
 */
#define OBSERVE_LEASE_SECONDS 60.0
#define OBSERVE_SLACK_SECONDS 15.0
#define OBSERVE_POLL_SECONDS  1.0

static double observe_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double observe_lease_seconds(double remaining_seconds)
{
	return ceil(fmin(remaining_seconds, OBSERVE_LEASE_SECONDS)) + OBSERVE_SLACK_SECONDS;
}

static uint64_t observe_lease_id(const cJSON *answer)
{
	double id = json_number(answer, "lease_id");

	/* Beyond 2^53 a JSON number is no longer exact. */
	return id > 0 && id < 0x1p53 ? (uint64_t)id : 0;
}

int observe_begin(struct observation *observation, struct client_error *error)
{
	double lease_seconds = observe_lease_seconds(observation->seconds);
	uint64_t interval_bytes = observation->sampling_interval_bytes;
	struct client_answer answer;
	char *path;
	int rc;

	if (interval_bytes)
		path = text_format("/api/v1/processes/%" PRIu32
				   "/watch?lease=%.0f&interval=%" PRIu64 "%s",
				   observation->pid, lease_seconds, interval_bytes,
				   observation->budget_arguments);
	else
		path = text_format("/api/v1/processes/%" PRIu32 "/watch?lease=%.0f%s",
				   observation->pid, lease_seconds, observation->budget_arguments);
	observation->lease_end_seconds = observe_now() + lease_seconds;
	rc = client_request(observation->client, CLIENT_PUT, path, &answer, error);
	free(path);
	if (rc != 0)
		return rc;
	observation->lease_id = observe_lease_id(answer.json);
	client_answer_release(&answer);
	return 0;
}

/* 0, or -1 and the error. */
static int observe_renew(struct observation *observation, double remaining_seconds,
			 struct client_error *error)
{
	double lease_seconds = observe_lease_seconds(remaining_seconds);
	char *path =
		text_format("/api/v1/processes/%" PRIu32 "/watch?lease=%.0f&lease_id=%" PRIu64 "%s",
			    observation->pid, lease_seconds, observation->lease_id,
			    observation->budget_arguments);
	struct client_answer answer;
	int rc = client_request(observation->client, CLIENT_PUT, path, &answer, error);

	free(path);
	if (rc != 0)
		return rc;
	observation->lease_end_seconds = observe_now() + lease_seconds;
	/* Another one if ours had ended, as after a suspension of this program. */
	observation->lease_id = observe_lease_id(answer.json);
	client_answer_release(&answer);
	return 0;
}

/* ---- Progress: one line on stderr that is written over and over, without any escape sequence */

static void observe_clear_progress(void)
{
	struct render render = render_open(stderr);

	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\r%*s\r", (int)render.width - 1, "");
}

static void observe_show_progress(const cJSON *process, double remaining_seconds)
{
	struct render render = render_open(stderr);
	char *raw, *safe, *line;

	if (!isatty(STDERR_FILENO))
		return;
	raw = text_format(
		"observing %s (pid %.0f): %s left, %s outstanding",
		json_string_or(process, "comm", "?"), json_number(process, "pid"),
		number_seconds(ceil(remaining_seconds)).text,
		number_bytes(json_number(json_child(process, "target"), "outstanding_bytes")).text);
	safe = text_escape(raw);
	/* A full line would make some terminals go to the next one. */
	line = text_cut_end(safe, render.width - 1);
	fprintf(stderr, "\r%s%*s", line, (int)(render.width - 1 - text_width(line)), "");
	fflush(stderr);
	free(raw);
	free(safe);
	free(line);
}

/* How a failed request ends the observation, if it does. */
static enum observe_result observe_result_of(const struct client_error *error)
{
	if (strcmp(error->code, "no_such_process") == 0 || strcmp(error->code, "not_a_target") == 0)
		return OBSERVE_ENDED;
	if (strcmp(error->code, CLIENT_CODE_ABORTED) == 0)
		return OBSERVE_INTERRUPTED;
	/* The next look, or the next try to renew the lease, is a second away. */
	if (strcmp(error->code, "busy") == 0)
		return OBSERVE_COMPLETE;
	return OBSERVE_FAILED;
}

/* Looks at the process: is it still there and watched? */
static enum observe_result observe_look(struct observation *observation, double remaining_seconds)
{
	char *path = text_format("/api/v1/processes/%" PRIu32, observation->pid);
	enum observe_result result = OBSERVE_COMPLETE;
	struct client_answer answer;
	const cJSON *target;

	if (client_request(observation->client, CLIENT_GET, path, &answer, &observation->error)) {
		result = observe_result_of(&observation->error);
		goto out;
	}
	target = json_child(answer.json, "target");
	if (!target || json_is_true(target, "ended"))
		result = OBSERVE_ENDED;
	else
		observe_show_progress(answer.json, remaining_seconds);
	client_answer_release(&answer);
out:
	free(path);
	return result;
}

static enum observe_result observe_keep_lease(struct observation *observation,
					      double remaining_seconds)
{
	double lease_left_seconds = observation->lease_end_seconds - observe_now();

	if (lease_left_seconds >
	    fmin(remaining_seconds + OBSERVE_SLACK_SECONDS, OBSERVE_LEASE_SECONDS / 2) - 1)
		return OBSERVE_COMPLETE;
	if (observe_renew(observation, remaining_seconds, &observation->error) != 0)
		return observe_result_of(&observation->error);
	return OBSERVE_COMPLETE;
}

enum observe_result observe_wait(struct observation *observation)
{
	double end_seconds = observe_now() + observation->seconds;
	enum observe_result result = OBSERVE_COMPLETE;

	for (;;) {
		double remaining_seconds = end_seconds - observe_now();

		if (interrupt_is_stop(observation->interrupt))
			result = OBSERVE_INTERRUPTED;
		if (remaining_seconds <= 0 || result != OBSERVE_COMPLETE)
			break;
		result = observe_look(observation, remaining_seconds);
		if (result == OBSERVE_COMPLETE)
			result = observe_keep_lease(observation, remaining_seconds);
		remaining_seconds = end_seconds - observe_now();
		if (result == OBSERVE_COMPLETE && remaining_seconds > 0)
			interrupt_wait(observation->interrupt,
				       fmin(remaining_seconds, OBSERVE_POLL_SECONDS));
	}
	observe_clear_progress();
	return result;
}

void observe_end(struct observation *observation)
{
	char *path = text_format("/api/v1/processes/%" PRIu32 "/watch?lease_id=%" PRIu64,
				 observation->pid, observation->lease_id);
	struct client_answer answer;
	struct client_error error;

	client_set_interrupt(observation->client, NULL);
	if (client_request(observation->client, CLIENT_DELETE, path, &answer, &error) == 0)
		client_answer_release(&answer);
	else if (strcmp(error.code, "no_such_process") != 0 &&
		 strcmp(error.code, "not_a_target") != 0 && strcmp(error.code, "not_found") != 0)
		render_complain("cannot end the watch of process %" PRIu32
				": %s; it ends by itself within %.0f s",
				observation->pid, error.message,
				fmax(1, observation->lease_end_seconds - observe_now()));
	free(path);
}
