/* SPDX-License-Identifier: Apache-2.0 */
#include "command.h"
#include "json.h"
#include "loss.h"
#include "number.h"
#include "render.h"
#include "table.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>

static const struct table_column targets_columns[] = {
	{.title = "PID", .is_right_aligned = true},
	{.title = "COMM", .gives_way = true},
	{.title = "WATCHED", .is_right_aligned = true},
	{.title = "SAMPLING", .is_right_aligned = true},
	{.title = "OUTSTANDING", .is_right_aligned = true},
	{.title = "SITES", .is_right_aligned = true},
	{.title = "COST", .is_right_aligned = true},
	{.title = "MAX", .is_right_aligned = true},
	{.title = "STATE", .gives_way = true},
};

/* Who holds it, or why it ended. To free. */
static char *targets_state(const cJSON *target)
{
	double leases = json_number(target, "leases");
	const char *plural = leases == 1 ? "" : "s";

	if (json_is_true(target, "ended"))
		return text_format("ended: %s",
				   json_string_or(target, "end_detail",
						  json_string_or(target, "end_reason", "?")));
	if (!json_is_true(target, "persistent"))
		return text_format("%.0f lease%s", leases, plural);
	if (leases > 0)
		return text_format("command, %.0f lease%s", leases, plural);
	return text_format("command");
}

/* What the probes cost now, or on the whole once the watch has ended. */
static void targets_add_cost(struct table *table, enum render_style style, const cJSON *target)
{
	const char *which =
		json_has_number(target, "recent_overhead_share") && !json_is_true(target, "ended")
			? "recent_overhead_share"
			: "overhead_share";

	table_add(table, style,
		  json_has_number(target, which) ? number_share(json_number(target, which)).text
						 : "?");
	if (json_is_true(target, "forced"))
		table_add(table, style, "none");
	else
		table_add(table, style,
			  json_has_number(target, "budget_share")
				  ? number_share(json_number(target, "budget_share")).text
				  : "?");
}

static void targets_add(struct table *table, const cJSON *target)
{
	double interval = json_number(target, "sampling_interval_bytes");
	bool is_ended = json_is_true(target, "ended");
	enum render_style style = is_ended ? RENDER_DIM : RENDER_PLAIN;
	char *pid = json_pid_text(target);
	char *state = targets_state(target);

	table_add(table, style, pid);
	table_add(table, style, json_string_or(target, "comm", "?"));
	table_add(table, style, number_seconds(json_number(target, "watched_seconds")).text);
	if (!json_has_number(target, "sampling_interval_bytes"))
		table_add(table, style, "its own");
	else
		table_add(table, style, interval <= 1 ? "exact" : number_bytes(interval).text);
	table_add(table, style, number_bytes(json_number(target, "outstanding_bytes")).text);
	table_add(table, style, number_count(json_number(target, "sites")).text);
	targets_add_cost(table, style, target);
	table_add(table, style, state);
	free(pid);
	free(state);
}

/* Stopped over its budget, and to be watched again. */
static void targets_add_waiting(struct table *table, const cJSON *waiting)
{
	char *pid = text_format("%.0f", json_number(waiting, "pid"));
	char *state = text_format("watched again in %s",
				  number_seconds(json_number(waiting, "due_seconds")).text);

	table_add(table, RENDER_PLAIN, pid);
	table_add(table, RENDER_PLAIN, json_string_or(waiting, "comm", "?"));
	for (int i = 0; i < 4; i++)
		table_add(table, RENDER_PLAIN, "-");
	targets_add_cost(table, RENDER_PLAIN, waiting);
	table_add(table, RENDER_PLAIN, state);
	free(pid);
	free(state);
}

static void targets_show_raised(const struct render *render, const cJSON *targets)
{
	const cJSON *target;

	cJSON_ArrayForEach(target, targets)
	{
		if (json_number(target, "sampling_interval_raises") <= 0)
			continue;
		render_end_line(render);
		render_paragraph(
			render, RENDER_PLAIN, 0,
			"%s (pid %.0f) is sampled less than it was asked to be: the interval was "
			"raised from %s to %s",
			json_string_or(target, "comm", "?"), json_number(target, "pid"),
			number_bytes(json_number(target, "sampling_interval_asked_bytes")).text,
			number_bytes(json_number(target, "sampling_interval_bytes")).text);
	}
}

static void targets_show_losses(const struct render *render, const cJSON *targets)
{
	const cJSON *target;

	cJSON_ArrayForEach(target, targets)
	{
		const cJSON *losses = json_child(target, "losses");

		if (!loss_is_any(losses))
			continue;
		render_end_line(render);
		render_paragraph(render, RENDER_WARNING, 0, "%s (pid %.0f) is incomplete:",
				 json_string_or(target, "comm", "?"), json_number(target, "pid"));
		loss_show(render, 2, losses);
	}
}

/* Why a process that brings probes of its own is watched in its malloc all the same. */
static void targets_show_refusals(const struct render *render, const cJSON *targets)
{
	const cJSON *target;

	cJSON_ArrayForEach(target, targets)
	{
		const char *reason = json_string(target, "provider_reason");

		if (!reason)
			continue;
		render_end_line(render);
		render_paragraph(
			render, RENDER_PLAIN, 0, "%s (pid %.0f) is watched in its allocator: %s",
			json_string_or(target, "comm", "?"), json_number(target, "pid"), reason);
	}
}

static void targets_show(const cJSON *answer)
{
	struct render render = render_open(stdout);
	const cJSON *targets = json_child(answer, "targets");
	const cJSON *waiting = json_child(answer, "waiting");
	struct table *table;
	const cJSON *target;

	if (cJSON_GetArraySize(targets) + cJSON_GetArraySize(waiting) == 0) {
		render_paragraph(&render, RENDER_PLAIN, 0,
				 "no process is watched (memwatchctl watch --pid N watches one)");
		return;
	}
	table = table_new(targets_columns, sizeof(targets_columns) / sizeof(targets_columns[0]));
	cJSON_ArrayForEach(target, targets)
	{
		targets_add(table, target);
	}
	cJSON_ArrayForEach(target, waiting)
	{
		targets_add_waiting(table, target);
	}
	table_finish(table, &render);
	targets_show_raised(&render, targets);
	targets_show_losses(&render, targets);
	targets_show_refusals(&render, targets);
}

int targets_main(struct options_global *global, int argc, char **argv)
{
	struct options_line line = {
		.command = "targets",
		.description =
			"Lists the watched processes, the last ones whose watch ended, and those "
			"that will be watched again. COST is the time that the probes take, as a "
			"share of the time of the process's running threads, and MAX what they "
			"may take.",
	};
	int exit_code;

	if (!options_parse(&line, global, argc, argv, NULL, &exit_code))
		return exit_code;
	return command_ask(global, CLIENT_GET, "/api/v1/targets", targets_show);
}
