/* SPDX-License-Identifier: Apache-2.0 */
/* Questions about processes, and the two changes that can be asked for. */
#include "serve/encode.h"
#include "serve/handlers.h"

#include <errno.h>
#include <math.h>

static pid_t pid_of(const struct exchange *exchange)
{
	return (pid_t)exchange->number;
}

static void answer_with_sites(const struct exchange *exchange,
			      const struct view_sites_options *options, struct response *response)
{
	struct json json = {.text = &response->body};
	struct answer_sites *answer;
	int err =
		view_sites(exchange->state, &exchange->viewer, pid_of(exchange), options, &answer);

	if (err) {
		response_set_errno(response, err, exchange->number, NULL);
		return;
	}
	json_sites(&json, NULL, answer);
	answer_sites_free(answer);
}

void handle_leaks(const struct exchange *exchange, struct response *response)
{
	struct view_sites_options options = {
		.has_verdicts = true,
		.is_all = exchange->arguments.is_all,
		.top = exchange->arguments.top,
	};

	answer_with_sites(exchange, &options, response);
}

void handle_stacks(const struct exchange *exchange, struct response *response)
{
	struct view_sites_options options = {
		.is_all = true,
		.sort = exchange->arguments.sort,
		.top = exchange->arguments.top,
	};

	answer_with_sites(exchange, &options, response);
}

static const char *null_if_empty(const char *text)
{
	return text[0] ? text : NULL;
}

void handle_lines(const struct exchange *exchange, struct response *response)
{
	const struct request_arguments *arguments = &exchange->arguments;
	struct view_lines_options options = {
		.group_by = arguments->group_by,
		.sort = arguments->line_sort,
		.top = arguments->top,
		.file = null_if_empty(arguments->file),
		.function = null_if_empty(arguments->function),
	};
	struct json json = {.text = &response->body};
	struct answer_lines *answer;
	int err =
		view_lines(exchange->state, &exchange->viewer, pid_of(exchange), &options, &answer);

	if (err) {
		response_set_errno(response, err, exchange->number, NULL);
		return;
	}
	json_lines(&json, answer, options.group_by);
	answer_lines_free(answer);
}

void handle_processes(const struct exchange *exchange, struct response *response)
{
	struct json json = {.text = &response->body};
	struct answer_processes *answer;
	int err = view_processes(exchange->state, &exchange->viewer, 0, exchange->arguments.top,
				 &answer);

	if (err) {
		response_set_errno(response, err, exchange->number, NULL);
		return;
	}
	json_processes(&json, answer);
	answer_processes_free(answer);
}

void handle_process(const struct exchange *exchange, struct response *response)
{
	struct json json = {.text = &response->body};
	struct answer_processes *process = NULL;
	struct answer_targets *target = NULL;
	int err = view_processes(exchange->state, &exchange->viewer, pid_of(exchange), 0, &process);

	/* A watch that ended between the two questions leaves a process that is no target. */
	if (!err && process->process_count > 0 && process->processes[0].is_target) {
		err = view_target(exchange->state, &exchange->viewer, pid_of(exchange), &target);
		if (err == -ENODATA)
			err = 0;
	}
	if (err)
		response_set_errno(response, err, exchange->number, NULL);
	else if (process->process_count == 0)
		response_set_errno(response, -ESRCH, exchange->number, NULL);
	else
		json_process(&json, &process->processes[0],
			     target && target->target_count ? &target->targets[0] : NULL);
	answer_targets_free(target);
	answer_processes_free(process);
}

void handle_watch(const struct exchange *exchange, struct response *response)
{
	struct json json = {.text = &response->body};
	struct view_watch_options options = {
		.sampling_interval_bytes = exchange->arguments.interval_bytes,
		.lease_seconds = exchange->arguments.lease_seconds,
		.lease_id = exchange->arguments.lease_id,
		.budget_share = exchange->arguments.is_forced
					? INFINITY
					: (double)exchange->arguments.budget_percent / 100,
		.is_retried = exchange->arguments.is_retried,
	};
	struct view_watch_result result = {0};
	struct view_error error = {0};
	int err;

	if (options.lease_id && options.lease_seconds <= 0) {
		response_set_error(
			response, RESPONSE_BAD_REQUEST,
			"lease_id renews a lease: give its new length with lease=SECONDS");
		return;
	}
	if (exchange->arguments.is_forced &&
	    (exchange->arguments.budget_percent || options.is_retried)) {
		response_set_error(
			response, RESPONSE_BAD_REQUEST,
			"force=1 lifts the budget: budget and retry have no place there");
		return;
	}
	if (options.is_retried && options.lease_seconds > 0) {
		response_set_error(response, RESPONSE_BAD_REQUEST,
				   "a lease is never retried: give lease or retry, not both");
		return;
	}
	err = view_watch(exchange->state, &exchange->viewer, pid_of(exchange), &options, &result,
			 &error);
	if (err)
		response_set_errno(response, err, exchange->number, error.message);
	else
		json_watched(&json, pid_of(exchange), &result);
}

/* Whether it is still watched once this observer has let go. */
static bool is_watched(const struct exchange *exchange)
{
	struct answer_targets *target = NULL;
	bool is_living = false;

	if (view_target(exchange->state, &exchange->viewer, pid_of(exchange), &target) == 0)
		is_living = target->target_count > 0 && !target->targets[0].is_ended;
	answer_targets_free(target);
	return is_living;
}

void handle_unwatch(const struct exchange *exchange, struct response *response)
{
	struct json json = {.text = &response->body};
	struct view_error error = {0};
	int err = view_unwatch(exchange->state, &exchange->viewer, pid_of(exchange),
			       exchange->arguments.lease_id, &error);

	if (err)
		response_set_errno(response, err, exchange->number, error.message);
	else
		json_unwatched(&json, pid_of(exchange), is_watched(exchange));
}

void handle_targets(const struct exchange *exchange, struct response *response)
{
	struct json json = {.text = &response->body};
	struct answer_targets *answer;
	int err = view_targets(exchange->state, &exchange->viewer, &answer);

	if (err) {
		response_set_errno(response, err, exchange->number, NULL);
		return;
	}
	json_targets(&json, answer);
	answer_targets_free(answer);
}
