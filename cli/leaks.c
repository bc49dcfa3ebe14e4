/* SPDX-License-Identifier: Apache-2.0 */
#include "command.h"
#include "interrupt.h"
#include "json.h"
#include "number.h"
#include "observe.h"
#include "render.h"
#include "sites.h"
#include "text.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* More would scroll the first ones, which matter most, off the screen. */
#define LEAKS_TOP_DEFAULT 10
/* How many the first line of a report covers. */
#define LEAKS_SUMMED_MAX      1000
#define LEAKS_SECONDS_DEFAULT 30
#define LEAKS_SECONDS_MAX     (UINT64_C(30) * 86400)

enum {
	LEAKS_PID,
	LEAKS_FOR,
	LEAKS_TOP,
	LEAKS_ALL,
	LEAKS_FULL,
	LEAKS_INTERVAL,
	LEAKS_EXACT,
	LEAKS_BUDGET,
	LEAKS_FORCE,
	LEAKS_OPTIONS
};

/* ---- What a report begins with */

struct leaks_sum {
	size_t count;
	double bytes;
	double growth_bytes_per_second;
};

static struct leaks_sum leaks_sum_up(const cJSON *answer, const char *verdict)
{
	struct leaks_sum sum = {0};
	const cJSON *site;

	cJSON_ArrayForEach(site, json_child(answer, "sites"))
	{
		if (strcmp(json_string_or(site, "verdict", ""), verdict) != 0)
			continue;
		sum.count++;
		sum.bytes += json_number(site, "outstanding_bytes");
		sum.growth_bytes_per_second += json_number(site, "growth_bytes_per_second");
	}
	return sum;
}

static void leaks_show_headline(const struct render *render, const cJSON *answer)
{
	struct leaks_sum leaks = leaks_sum_up(answer, "leak");
	struct leaks_sum growing = leaks_sum_up(answer, "growing");
	struct number_text observed = number_seconds(json_number(answer, "observed_seconds"));
	enum render_style style = RENDER_GOOD;
	char *headline;

	if (leaks.count > 0) {
		style = RENDER_ALARM;
		headline = text_format("%zu leak%s hold%s %s and grow%s by %s/s", leaks.count,
				       leaks.count == 1 ? "" : "s", leaks.count == 1 ? "s" : "",
				       number_bytes(leaks.bytes).text, leaks.count == 1 ? "s" : "",
				       number_bytes(leaks.growth_bytes_per_second).text);
	} else if (growing.count > 0) {
		style = RENDER_WARNING;
		headline = text_format("no leak proven in %s, but %zu site%s grow%s by %s/s",
				       observed.text, growing.count, growing.count == 1 ? "" : "s",
				       growing.count == 1 ? "s" : "",
				       number_bytes(growing.growth_bytes_per_second).text);
	} else {
		headline = text_format("no leak seen in %s", observed.text);
	}
	render_text(render, RENDER_BOLD, "%s (pid %.0f): ", json_string_or(answer, "comm", "?"),
		    json_number(answer, "pid"));
	render_text(render, style, "%s", headline);
	render_end_line(render);
	free(headline);
}

/* Sites that are not in the answer: nothing is wrong with them, unless there are too many. */
static void leaks_show_absent_sites(const struct render *render, const cJSON *answer)
{
	int listed = cJSON_GetArraySize(json_child(answer, "sites"));
	double absent = json_number(answer, "sites_total") - listed;
	const char *other = listed > 0 ? " other" : "";

	if (absent <= 0)
		return;
	render_end_line(render);
	if (listed >= LEAKS_SUMMED_MAX)
		render_paragraph(render, RENDER_WARNING, 0,
				 "%s%s sites are not counted above: --top 0 counts all",
				 number_count(absent).text, other);
	else
		render_paragraph(render, RENDER_PLAIN, 0, "%s%s %s: --all shows %s",
				 number_count(absent).text, other,
				 absent == 1 ? "site is steady or a cache"
					     : "sites are steady or caches",
				 absent == 1 ? "it" : "them");
}

static void leaks_show(const cJSON *answer, const struct sites_view *view)
{
	struct render render = render_open(stdout);

	leaks_show_headline(&render, answer);
	sites_show_account(&render, answer);
	if (json_number(answer, "sites_total") == 0)
		render_paragraph(&render, RENDER_PLAIN, 2,
				 "It has allocated nothing that is still outstanding since it is "
				 "watched.");
	sites_show(&render, answer, view);
	leaks_show_absent_sites(&render, answer);
}

/* ---- Asking */

/*
 * The text sums up more sites than it lists, so it asks for more. 1,000 sites are still well within
 * what the daemon sends in one answer.
 */
static uint64_t leaks_top_to_ask(const struct option *options, bool is_json)
{
	uint64_t top = options[LEAKS_TOP].count;

	if (is_json)
		return options[LEAKS_TOP].is_set ? top : 0;
	return top > 0 && top < LEAKS_SUMMED_MAX ? LEAKS_SUMMED_MAX : top;
}

static char *leaks_path(const struct option *options, bool is_json)
{
	return text_format("/api/v1/processes/%" PRIu64 "/leaks?all=%d&top=%" PRIu64,
			   options[LEAKS_PID].count, options[LEAKS_ALL].is_set,
			   leaks_top_to_ask(options, is_json));
}

static void leaks_print(const struct options_global *global, const struct option *options,
			const struct client_answer *answer)
{
	const struct sites_view view = {
		.top = options[LEAKS_TOP].count,
		.stacks_whole = options[LEAKS_FULL].is_set,
	};

	if (options_is_json(global))
		render_json(answer->body);
	else
		leaks_show(answer->json, &view);
}

/* From what is known of a process already watched. */
static int leaks_at_once(const struct options_global *global, const struct option *options)
{
	char *path = leaks_path(options, options_is_json(global));
	struct client_answer answer;
	int exit = command_fetch(global, CLIENT_GET, path, &answer);

	if (exit == COMMAND_EXIT_FINE) {
		leaks_print(global, options, &answer);
		client_answer_release(&answer);
	}
	free(path);
	return exit;
}

static bool leaks_is_over_budget(const cJSON *answer)
{
	return json_is_true(answer, "ended") &&
	       strcmp(json_string_or(answer, "end_reason", ""), "ended_over_budget") == 0;
}

static void leaks_explain_early_end(const struct observation *observation,
				    enum observe_result result, const cJSON *answer)
{
	/* It has a message of its own, and an exit code. */
	if (leaks_is_over_budget(answer))
		return;
	switch (result) {
	case OBSERVE_COMPLETE:
		break;
	case OBSERVE_INTERRUPTED:
		render_complain("stopped early: this is what was seen until then");
		break;
	case OBSERVE_ENDED:
		render_complain("process %" PRIu32 " exited or is no longer watched: this is what "
				"was seen until then",
				observation->pid);
		break;
	case OBSERVE_FAILED:
		render_complain("stopped early: %s", observation->error.message);
		break;
	}
}

/* Observes and asks; the answer is to release. An exit code; a failure has been reported. */
static int leaks_observe(struct observation *observation, const char *path,
			 struct client_answer *answer)
{
	enum observe_result result;
	struct client_error error;
	int exit = COMMAND_EXIT_FINE;

	if (observe_begin(observation, &error) != 0)
		return command_report_error(&error);
	result = observe_wait(observation);
	if (client_request(observation->client, CLIENT_GET, path, answer, &error) != 0)
		exit = command_report_error(&error);
	else
		leaks_explain_early_end(observation, result, answer->json);
	observe_end(observation);
	return exit;
}

static int leaks_after_observing(const struct options_global *global, const struct option *options)
{
	struct client *client = client_new(options_socket_path(global));
	char *path = leaks_path(options, options_is_json(global));
	char *budget_arguments =
		command_budget_arguments(&options[LEAKS_BUDGET], &options[LEAKS_FORCE]);
	struct interrupt interrupt;
	struct observation observation = {
		.client = client,
		.interrupt = &interrupt,
		.pid = (uint32_t)options[LEAKS_PID].count,
		.seconds = options[LEAKS_FOR].seconds,
		.budget_arguments = budget_arguments,
		.sampling_interval_bytes =
			options[LEAKS_EXACT].is_set ? 1 : options[LEAKS_INTERVAL].count,
	};
	struct client_answer answer = {0};
	int exit;

	interrupt_begin(&interrupt);
	client_set_interrupt(client, &interrupt);
	exit = leaks_observe(&observation, path, &answer);
	bool is_abort = interrupt_is_abort(&interrupt);
	interrupt_end(&interrupt);
	if (is_abort)
		raise(interrupt.last_signal); /* ends us as the shell expects it */
	/* The lease is given back: from here on a closed pipe may end us. */
	if (answer.json)
		leaks_print(global, options, &answer);
	if (exit == COMMAND_EXIT_FINE && leaks_is_over_budget(answer.json))
		exit = command_report_over_budget(
			&options[LEAKS_PID],
			json_string_or(answer.json, "end_detail", "no details"));
	client_answer_release(&answer);
	free(budget_arguments);
	free(path);
	client_free(client);
	return exit;
}

static bool leaks_check(const struct option *options)
{
	bool has_sampling = options[LEAKS_INTERVAL].is_set || options[LEAKS_EXACT].is_set;

	if (options[LEAKS_INTERVAL].is_set && options[LEAKS_EXACT].is_set) {
		render_complain("leaks: --interval and --exact exclude each other");
		return false;
	}
	if (options[LEAKS_BUDGET].is_set && options[LEAKS_FORCE].is_set) {
		render_complain("leaks: --budget and --force exclude each other");
		return false;
	}
	if ((has_sampling || options[LEAKS_BUDGET].is_set || options[LEAKS_FORCE].is_set) &&
	    options[LEAKS_FOR].seconds == 0) {
		render_complain("leaks: --for 0 observes nothing, so --interval, --exact, --budget "
				"and --force have no place there");
		return false;
	}
	return true;
}

int leaks_main(struct options_global *global, int argc, char **argv)
{
	struct option options[LEAKS_OPTIONS] = {
		[LEAKS_PID] = OPTION_PID("the process"),
		[LEAKS_FOR] =
			{.name = "--for",
			 .value_name = "SECONDS",
			 .kind = OPTION_SECONDS,
			 .maximum = LEAKS_SECONDS_MAX,
			 .seconds = LEAKS_SECONDS_DEFAULT,
			 .help = "observe for so long (default 30); 0: answer at once from what "
				 "is known "
				 "of a process already watched"},
		[LEAKS_TOP] =
			{.name = "--top",
			 .value_name = "K",
			 .kind = OPTION_COUNT,
			 .maximum = COMMAND_TOP_MAX,
			 .count = LEAKS_TOP_DEFAULT,
			 .help = "show the first K sites (default 10, all with --json); 0: all"},
		[LEAKS_ALL] = {.name = "--all", .help = "show caches and steady sites too"},
		[LEAKS_FULL] = OPTION_WHOLE_STACKS,
		[LEAKS_INTERVAL] = OPTION_INTERVAL,
		[LEAKS_EXACT] = OPTION_EXACT,
		[LEAKS_BUDGET] = OPTION_BUDGET,
		[LEAKS_FORCE] = OPTION_FORCE,
	};
	struct options_line line = {
		.command = "leaks",
		.description = "Names the code that leaks in a process: watches it if it is not "
			       "watched yet, "
			       "observes it, reports, and leaves it as it was found. Interrupted "
			       "(Ctrl-C), "
			       "it reports what it has seen; interrupted again, it gives up.",
		.options = options,
		.option_count = LEAKS_OPTIONS,
	};
	int exit_code;

	if (!options_parse(&line, global, argc, argv, NULL, &exit_code))
		return exit_code;
	if (!leaks_check(options))
		return COMMAND_EXIT_USAGE;
	if (options[LEAKS_FOR].seconds == 0)
		return leaks_at_once(global, options);
	return leaks_after_observing(global, options);
}
