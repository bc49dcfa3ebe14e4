/* SPDX-License-Identifier: Apache-2.0 */
#include "command.h"
#include "json.h"
#include "number.h"
#include "render.h"
#include "text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* The daemon looks at the costs 20 times a second: by then it has looked. */
#define WATCH_LOOK_SECONDS 0.5
/* A process over its budget is waited for so long: the fastest ones are stopped within half. */
#define WATCH_OVER_SECONDS 1.0
#define WATCH_POLL_NS      50000000L

enum {
	WATCH_PID,
	WATCH_INTERVAL,
	WATCH_EXACT,
	WATCH_BUDGET,
	WATCH_RETRY,
	WATCH_FORCE,
	WATCH_OPTIONS,
};

/* To be freed. */
static char *watch_sampling(const cJSON *answer)
{
	double interval = json_number(answer, "sampling_interval_bytes");

	if (!json_has_number(answer, "sampling_interval_bytes"))
		return text_format("it draws its samples itself (%s)",
				   json_string_or(answer, "provider", "?"));
	if (interval <= 1)
		return text_format("every allocation counts");
	return text_format("one sample every %s", number_bytes(interval).text);
}

static void watch_show(const cJSON *answer)
{
	struct render render = render_open(stdout);
	bool is_cost_known = json_has_number(answer, "overhead_share");
	bool has_budget = json_has_number(answer, "budget_share");
	char *how = watch_sampling(answer);
	char *cost = is_cost_known
			     ? text_format("the probes cost %s of its time",
					   number_share(json_number(answer, "overhead_share")).text)
			     : text_format("what the probes cost is not known");
	char *budget = has_budget
			       ? text_format(", the budget is %s",
					     number_share(json_number(answer, "budget_share")).text)
			       : text_format("%s", "");

	render_paragraph(&render, RENDER_PLAIN, 0, "process %.0f is %s: %s; %s%s",
			 json_number(answer, "pid"),
			 json_is_true(answer, "was_watched") ? "watched already" : "watched", how,
			 cost, budget);
	free(how);
	free(cost);
	free(budget);
}

/* ---- What it costs in its first moments */

static double watch_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* The process among the targets: they come living ones first, newest first. NULL: none. */
static const cJSON *watch_find(const cJSON *answer, uint64_t pid)
{
	const cJSON *target;

	cJSON_ArrayForEach(target, json_child(answer, "targets"))
	{
		if (json_number(target, "pid") == (double)pid)
			return target;
	}
	return NULL;
}

/* Whether there is more to learn by waiting. */
static bool watch_is_undecided(const cJSON *target, bool may_end, double waited_seconds)
{
	if (!target || json_is_true(target, "ended"))
		return false;
	if (!json_has_number(target, "recent_overhead_share"))
		return waited_seconds < WATCH_LOOK_SECONDS;
	return may_end && json_is_true(target, "over_budget") &&
	       waited_seconds < WATCH_OVER_SECONDS;
}

/*
 * Asks until it is known how the watch goes: the last answer, to release. Empty when none came: the
 * process is watched all the same.
 */
static void watch_follow(struct client *client, const struct option *options,
			 struct client_answer *targets)
{
	const struct timespec pause = {.tv_nsec = WATCH_POLL_NS};
	bool may_end = !options[WATCH_FORCE].is_set && !options[WATCH_RETRY].is_set;
	double began_seconds = watch_now();
	struct client_error error;

	while (client_request(client, CLIENT_GET, "/api/v1/targets", targets, &error) == 0) {
		if (!watch_is_undecided(watch_find(targets->json, options[WATCH_PID].count),
					may_end, watch_now() - began_seconds))
			return;
		client_answer_release(targets);
		nanosleep(&pause, NULL);
	}
}

/* Adds to the answer what has been learned since. */
static void watch_add(cJSON *answer, const cJSON *target)
{
	cJSON_AddItemToObject(
		answer, "overhead_share",
		json_has_number(target, "recent_overhead_share")
			? cJSON_CreateNumber(json_number(target, "recent_overhead_share"))
			: cJSON_CreateNull());
	cJSON_AddBoolToObject(answer, "over_budget", json_is_true(target, "over_budget"));
	cJSON_AddBoolToObject(answer, "ended", json_is_true(target, "ended"));
	cJSON_AddItemToObject(answer, "end_reason",
			      json_string(target, "end_reason")
				      ? cJSON_CreateString(json_string(target, "end_reason"))
				      : cJSON_CreateNull());
}

static int watch_report(const struct options_global *global, const struct option *options,
			const cJSON *answer, const cJSON *target)
{
	bool is_stopped =
		strcmp(json_string_or(target, "end_reason", ""), "ended_over_budget") == 0;

	if (options_is_json(global)) {
		char *text = cJSON_PrintUnformatted(answer);

		if (!text)
			text_fail_out_of_memory();
		render_json(text);
		cJSON_free(text);
	} else if (!is_stopped) {
		watch_show(answer);
	}
	if (is_stopped)
		return command_report_over_budget(&options[WATCH_PID],
						  json_string_or(target, "end_detail", "?"));
	if (json_is_true(target, "over_budget"))
		render_complain("process %" PRIu64 " is over its budget: unless it allocates less, "
				"its watch will end%s",
				options[WATCH_PID].count,
				options[WATCH_RETRY].is_set ? ", and be tried again"
							    : " (--force: go on)");
	return COMMAND_EXIT_FINE;
}

/* ---- Asking */

static char *watch_path(const struct option *options)
{
	uint64_t interval_bytes = options[WATCH_EXACT].is_set ? 1 : options[WATCH_INTERVAL].count;
	char *budget = command_budget_arguments(&options[WATCH_BUDGET], &options[WATCH_FORCE]);
	char *interval = interval_bytes ? text_format("&interval=%" PRIu64, interval_bytes)
					: text_format("%s", "");
	char *arguments = text_format("%s%s%s", interval, budget,
				      options[WATCH_RETRY].is_set ? "&retry=1" : "");
	char *path;

	if (arguments[0])
		arguments[0] = '?';
	path = text_format("/api/v1/processes/%" PRIu64 "/watch%s", options[WATCH_PID].count,
			   arguments);
	free(budget);
	free(interval);
	free(arguments);
	return path;
}

static int watch_ask(const struct options_global *global, const struct option *options)
{
	struct client *client = client_new(options_socket_path(global));
	char *path = watch_path(options);
	struct client_answer answer = {0}, targets = {0};
	struct client_error error;
	const cJSON *target;
	int exit_code;

	if (client_request(client, CLIENT_PUT, path, &answer, &error) != 0) {
		exit_code = command_report_error(&error);
		goto out;
	}
	watch_follow(client, options, &targets);
	target = watch_find(targets.json, options[WATCH_PID].count);
	watch_add(answer.json, target);
	exit_code = watch_report(global, options, answer.json, target);
out:
	client_answer_release(&answer);
	client_answer_release(&targets);
	client_free(client);
	free(path);
	return exit_code;
}

static bool watch_check(const struct option *options)
{
	if (options[WATCH_INTERVAL].is_set && options[WATCH_EXACT].is_set) {
		render_complain("watch: --interval and --exact exclude each other");
		return false;
	}
	if (options[WATCH_FORCE].is_set &&
	    (options[WATCH_BUDGET].is_set || options[WATCH_RETRY].is_set)) {
		render_complain("watch: --force lifts the budget, so --budget and --retry have no "
				"place beside it");
		return false;
	}
	return true;
}

int watch_main(struct options_global *global, int argc, char **argv)
{
	struct option options[WATCH_OPTIONS] = {
		[WATCH_PID] = OPTION_PID("the process"),
		[WATCH_INTERVAL] = OPTION_INTERVAL,
		[WATCH_EXACT] = OPTION_EXACT,
		[WATCH_BUDGET] = OPTION_BUDGET,
		[WATCH_RETRY] = {.name = "--retry",
				 .help = "stopped over its budget, watch it again after a while, "
					 "as a policy does (the budget is then 3 by default)"},
		[WATCH_FORCE] = OPTION_FORCE,
	};
	struct options_line line = {
		.command = "watch",
		.description =
			"Watches a process until it exits or is unwatched, or until its probes "
			"cost more than their budget. Says what they cost in the first moments; "
			"if they are over budget it waits up to a second, and exits with 6 when "
			"the watch was stopped.",
		.options = options,
		.option_count = WATCH_OPTIONS,
	};
	int exit_code;

	if (!options_parse(&line, global, argc, argv, NULL, &exit_code))
		return exit_code;
	if (!watch_check(options))
		return COMMAND_EXIT_USAGE;
	return watch_ask(global, options);
}
