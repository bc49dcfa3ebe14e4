/* SPDX-License-Identifier: Apache-2.0 */
#include "command.h"
#include "json.h"
#include "loss.h"
#include "number.h"
#include "render.h"
#include "text.h"

#include <stdlib.h>

/* A table that is nearly full is about to lose blocks or sites. */
#define STATUS_FULL_SHARE 0.9

#define STATUS_TEXT_COLUMN 17

static void status_show_map(const struct render *render, const cJSON *map)
{
	double used = json_number(map, "used");
	double max = json_number(map, "max");
	double share = max > 0 ? used / max : 0;
	char *label = text_format("  %s", map->string);

	render_labelled(render, share >= STATUS_FULL_SHARE ? RENDER_WARNING : RENDER_PLAIN, label,
			STATUS_TEXT_COLUMN, "%s of %s (%s)", number_count(used).text,
			number_count(max).text, number_share(share).text);
	free(label);
}

static void status_show_count(const struct render *render, const char *label, double count)
{
	render_labelled(render, RENDER_PLAIN, label, STATUS_TEXT_COLUMN, "%s",
			number_count(count).text);
}

static void status_show_unwind(const struct render *render, const cJSON *unwind)
{
	double refused = json_number(unwind, "refused_modules_total");

	render_labelled(render, RENDER_PLAIN, "  unwinding", STATUS_TEXT_COLUMN,
			"tables of %s files, %s of at most %s",
			number_count(json_number(unwind, "modules")).text,
			number_bytes(json_number(unwind, "bytes")).text,
			number_bytes(json_number(unwind, "bytes_max")).text);
	if (refused > 0)
		render_paragraph(render, RENDER_WARNING, STATUS_TEXT_COLUMN,
				 "no tables could be made for %s files (the log says why)",
				 number_count(refused).text);
}

static void status_show_naming(const struct render *render, const cJSON *naming)
{
	double waiting = json_number(naming, "waiting_frames");

	if (waiting > 0)
		render_labelled(render, RENDER_PLAIN, "  names", STATUS_TEXT_COLUMN,
				"of %s frames still to be looked up", number_count(waiting).text);
}

static void status_show_debuginfod(const struct render *render, const cJSON *debuginfod)
{
	double lost = json_number(debuginfod, "failed_total") +
		      json_number(debuginfod, "refused_total") +
		      json_number(debuginfod, "dropped_total");

	if (!json_is_true(debuginfod, "configured"))
		return;
	render_labelled(render, RENDER_PLAIN, "  debuginfod", STATUS_TEXT_COLUMN,
			"%s files fetched, %s not to be had, %s waited for; %s of at most %s kept",
			number_count(json_number(debuginfod, "found_total")).text,
			number_count(json_number(debuginfod, "not_found_total")).text,
			number_count(json_number(debuginfod, "queued")).text,
			number_bytes(json_number(debuginfod, "cache_bytes")).text,
			number_bytes(json_number(debuginfod, "cache_bytes_max")).text);
	if (lost > 0)
		render_paragraph(render, RENDER_WARNING, STATUS_TEXT_COLUMN,
				 "%s failed, %s were no such files or too large, %s were too many",
				 number_count(json_number(debuginfod, "failed_total")).text,
				 number_count(json_number(debuginfod, "refused_total")).text,
				 number_count(json_number(debuginfod, "dropped_total")).text);
}

static void status_show_self(const struct render *render, const cJSON *answer)
{
	double uptime_seconds = json_number(answer, "uptime_seconds");
	double cpu_seconds = json_number(answer, "cpu_seconds");
	double share = uptime_seconds > 0 ? cpu_seconds / uptime_seconds : 0;

	render_labelled(render, RENDER_PLAIN, "  own CPU", STATUS_TEXT_COLUMN,
			"%s of one CPU, %s in all", number_share(share).text,
			number_seconds(cpu_seconds).text);
	render_labelled(render, RENDER_PLAIN, "  own memory", STATUS_TEXT_COLUMN,
			"%s resident (names %s), %s of BPF maps",
			number_bytes(json_number(answer, "rss_bytes")).text,
			number_bytes(json_number(answer, "symbol_cache_bytes")).text,
			number_bytes(json_number(answer, "bpf_memory_bytes")).text);
	status_show_naming(render, json_child(answer, "naming"));
	status_show_unwind(render, json_child(answer, "unwind"));
	status_show_debuginfod(render, json_child(answer, "debuginfod"));
}

static void status_show_losses(const struct render *render, const cJSON *losses)
{
	if (!loss_is_any(losses)) {
		render_labelled(render, RENDER_PLAIN, "  lost", STATUS_TEXT_COLUMN, "nothing");
		return;
	}
	render_paragraph(render, RENDER_WARNING, 2, "lost:");
	loss_show(render, STATUS_TEXT_COLUMN, losses);
}

static void status_show_targets(const struct render *render, const cJSON *answer)
{
	double reporting = json_number(answer, "targets_reporting");
	char *how = reporting > 0 ? text_format(", %s by probes of their own (otel_memory)",
						number_count(reporting).text)
				  : text_format("%s", "");

	render_labelled(render, RENDER_PLAIN, "  targets", STATUS_TEXT_COLUMN, "%s of at most %s%s",
			number_count(json_number(answer, "targets")).text,
			number_count(json_number(answer, "targets_max")).text, how);
	free(how);
}

static void status_show(const cJSON *answer)
{
	struct render render = render_open(stdout);
	const cJSON *map;

	render_paragraph(&render, RENDER_BOLD, 0, "memwatchd %s, up for %s",
			 json_string_or(answer, "version", "?"),
			 number_seconds(json_number(answer, "uptime_seconds")).text);
	status_show_targets(&render, answer);
	render_labelled(
		&render, RENDER_PLAIN, "  probes", STATUS_TEXT_COLUMN, "%s",
		json_string_or(answer, "backend", "none works here (see memwatchctl doctor)"));
	cJSON_ArrayForEach(map, json_child(answer, "maps"))
	{
		status_show_map(&render, map);
	}
	status_show_self(&render, answer);
	status_show_count(&render, "  events", json_number(answer, "events_total"));
	status_show_count(&render, "  OOM kills", json_number(answer, "oom_kills_total"));
	render_labelled(&render, RENDER_PLAIN, "  over budget", STATUS_TEXT_COLUMN,
			"%s watches stopped, %s sampling intervals raised",
			number_count(json_number(answer, "ended_over_budget_total")).text,
			number_count(json_number(answer, "intervals_raised_total")).text);
	status_show_losses(&render, json_child(answer, "losses"));
}

int status_main(struct options_global *global, int argc, char **argv)
{
	struct options_line line = {
		.command = "status",
		.description =
			"Shows the state of memwatchd: what it holds, what it costs, what it "
			"has lost.",
	};
	int exit_code;

	if (!options_parse(&line, global, argc, argv, NULL, &exit_code))
		return exit_code;
	return command_ask(global, CLIENT_GET, "/api/v1/status", status_show);
}
