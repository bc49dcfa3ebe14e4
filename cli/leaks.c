/* SPDX-License-Identifier: Apache-2.0 */
#include "command.h"
#include "json.h"
#include "number.h"
#include "observed.h"
#include "render.h"
#include "sites.h"
#include "text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* More would scroll the first ones, which matter most, off the screen. */
#define LEAKS_TOP_DEFAULT 10
/* How many the first line of a report covers. */
#define LEAKS_SUMMED_MAX 1000

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

static int leaks_run(const struct options_global *global, const struct option *options,
		     const struct observed_options *observed)
{
	char *path = leaks_path(options, options_is_json(global));
	struct client_answer answer = {0};
	int exit = observed_ask(global, observed, path, NULL, &answer);

	free(path);
	if (answer.json)
		leaks_print(global, options, &answer);
	exit = observed_conclude(observed, exit, &answer);
	client_answer_release(&answer);
	return exit;
}

int leaks_main(struct options_global *global, int argc, char **argv)
{
	struct option options[LEAKS_OPTIONS] = {
		[LEAKS_PID] = OPTION_PID("the process"),
		[LEAKS_FOR] = OPTION_FOR,
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
	const struct observed_options observed = {
		.command = "leaks",
		.pid = &options[LEAKS_PID],
		.seconds = &options[LEAKS_FOR],
		.interval = &options[LEAKS_INTERVAL],
		.exact = &options[LEAKS_EXACT],
		.budget = &options[LEAKS_BUDGET],
		.force = &options[LEAKS_FORCE],
	};
	int exit_code;

	if (!options_parse(&line, global, argc, argv, NULL, &exit_code))
		return exit_code;
	if (!observed_check(&observed))
		return COMMAND_EXIT_USAGE;
	return leaks_run(global, options, &observed);
}
