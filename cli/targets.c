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
	{.title = "STATE", .gives_way = true},
};

/* Who holds it, or why it ended. To free. */
static char *targets_state(const cJSON *target)
{
	double leases = json_number(target, "leases");
	const char *plural = leases == 1 ? "" : "s";

	if (json_is_true(target, "ended"))
		return text_format("ended: %s", json_string_or(target, "end_reason", "?"));
	if (!json_is_true(target, "persistent"))
		return text_format("%.0f lease%s", leases, plural);
	if (leases > 0)
		return text_format("command, %.0f lease%s", leases, plural);
	return text_format("command");
}

static void targets_add(struct table *table, const cJSON *target)
{
	double interval = json_number(target, "sampling_interval_bytes");
	bool is_ended = json_is_true(target, "ended");
	enum render_style style = is_ended ? RENDER_DIM : RENDER_PLAIN;
	char *pid = text_format("%.0f", json_number(target, "pid"));
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
	table_add(table, style,
		  json_has_number(target, "overhead_share")
			  ? number_share(json_number(target, "overhead_share")).text
			  : "?");
	table_add(table, style, state);
	free(pid);
	free(state);
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
	struct table *table;
	const cJSON *target;

	if (cJSON_GetArraySize(targets) == 0) {
		render_paragraph(&render, RENDER_PLAIN, 0,
				 "no process is watched (memwatchctl watch --pid N watches one)");
		return;
	}
	table = table_new(targets_columns, sizeof(targets_columns) / sizeof(targets_columns[0]));
	cJSON_ArrayForEach(target, targets)
	{
		targets_add(table, target);
	}
	table_finish(table, &render);
	targets_show_losses(&render, targets);
	targets_show_refusals(&render, targets);
}

int targets_main(struct options_global *global, int argc, char **argv)
{
	struct options_line line = {
		.command = "targets",
		.description =
			"Lists the watched processes, and the last ones whose watch ended. COST "
			"is the time that the probes take, as a share of one CPU.",
	};
	int exit_code;

	if (!options_parse(&line, global, argc, argv, NULL, &exit_code))
		return exit_code;
	return command_ask(global, CLIENT_GET, "/api/v1/targets", targets_show);
}
