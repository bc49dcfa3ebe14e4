/* SPDX-License-Identifier: Apache-2.0 */
#include "allocators.h"
#include "command.h"
#include "json.h"
#include "number.h"
#include "render.h"
#include "text.h"

#include <string.h>

#define DOCTOR_DETAIL_INDENT 10

static enum render_style doctor_style(const char *state)
{
	if (strcmp(state, "ok") == 0)
		return RENDER_GOOD;
	return strcmp(state, "missing") == 0 ? RENDER_ALARM : RENDER_WARNING;
}

static void doctor_show_check(const struct render *render, const cJSON *check)
{
	const char *state = json_string_or(check, "state", "?");
	const char *remedy = json_string(check, "remedy");

	render_text(render, doctor_style(state), "%-*s", DOCTOR_DETAIL_INDENT, state);
	render_text(render, RENDER_BOLD, "%s", json_string_or(check, "name", "?"));
	render_end_line(render);
	if (json_string(check, "detail"))
		render_paragraph(render, RENDER_PLAIN, DOCTOR_DETAIL_INDENT, "%s",
				 json_string(check, "detail"));
	if (remedy)
		render_paragraph(render, RENDER_WARNING, DOCTOR_DETAIL_INDENT, "to do: %s", remedy);
}

static void doctor_show_costs(const struct render *render, const cJSON *costs)
{
	const cJSON *cost;

	if (!costs || !costs->child)
		return;
	render_end_line(render);
	render_paragraph(render, RENDER_BOLD, 0, "What a probe costs here, measured at the start:");
	cJSON_ArrayForEach(cost, costs)
	{
		if (cJSON_IsNumber(cost))
			render_paragraph(render, RENDER_PLAIN, 2, "%-24s %s ns", cost->string,
					 number_count(cost->valuedouble).text);
		else
			render_paragraph(render, RENDER_PLAIN, 2, "%-24s not measured",
					 cost->string);
	}
}

static void doctor_show(const cJSON *answer)
{
	struct render render = render_open(stdout);
	const cJSON *check;

	cJSON_ArrayForEach(check, json_child(answer, "checks"))
	{
		doctor_show_check(&render, check);
	}
	doctor_show_costs(&render, json_child(answer, "costs_ns"));
	render_end_line(&render);
	if (json_is_true(answer, "healthy"))
		render_paragraph(&render, RENDER_GOOD, 0, "memwatch works here.");
	else
		render_paragraph(&render, RENDER_ALARM, 0,
				 "Something is missing: see what is to do above.");
}

int doctor_main(struct options_global *global, int argc, char **argv)
{
	struct option options[] = {
		{.name = "--allocators",
		 .value_name = "PATH",
		 .kind = OPTION_STRING,
		 .help = "say instead which allocator functions of this program or library would "
			 "be probed, at which address, why, and how their returns are seen; needs "
			 "no daemon. Exits with 1 if there are none"},
	};
	struct options_line line = {
		.command = "doctor",
		.description = "Says what this kernel offers memwatch, what is missing and how to "
			       "fix it, and "
			       "what a probe costs here. Exits with 1 if something is missing.",
		.options = options,
		.option_count = sizeof(options) / sizeof(options[0]),
	};
	struct client_answer answer;
	int exit_code;
	bool is_healthy;

	if (!options_parse(&line, global, argc, argv, NULL, &exit_code))
		return exit_code;
	if (options[0].is_set)
		return allocators_explain(options[0].string, options_is_json(global));
	exit_code = command_fetch(global, CLIENT_GET, "/api/v1/doctor", &answer);
	if (exit_code != COMMAND_EXIT_FINE)
		return exit_code;
	is_healthy = json_is_true(answer.json, "healthy");
	if (options_is_json(global))
		render_json(answer.body);
	else
		doctor_show(answer.json);
	client_answer_release(&answer);
	return is_healthy ? COMMAND_EXIT_FINE : COMMAND_EXIT_NO;
}
