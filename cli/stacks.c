/* SPDX-License-Identifier: Apache-2.0 */
#include "command.h"
#include "json.h"
#include "number.h"
#include "render.h"
#include "sites.h"
#include "text.h"

#include <inttypes.h>
#include <stdlib.h>

enum { STACKS_PID, STACKS_SORT, STACKS_TOP, STACKS_FULL, STACKS_OPTIONS };

static void stacks_show(const cJSON *answer, const struct sites_view *view)
{
	struct render render = render_open(stdout);
	int listed = cJSON_GetArraySize(json_child(answer, "sites"));
	double left_out = json_number(answer, "sites_total") - listed;

	render_text(&render, RENDER_BOLD, "%s (pid %.0f)", json_string_or(answer, "comm", "?"),
		    json_number(answer, "pid"));
	render_end_line(&render);
	sites_show_account(&render, answer);
	sites_show(&render, answer, view);
	if (left_out > 0) {
		render_end_line(&render);
		render_paragraph(&render, RENDER_PLAIN, 0, "%s more site%s: --top 0 shows all",
				 number_count(left_out).text, left_out == 1 ? "" : "s");
	}
}

int stacks_main(struct options_global *global, int argc, char **argv)
{
	static const char *const sorts[] = {"outstanding", "allocated", "rss", NULL};
	struct option options[STACKS_OPTIONS] = {
		[STACKS_PID] = OPTION_PID("the process; it is watched"),
		[STACKS_SORT] = {.name = "--sort",
				 .value_name = "KEY",
				 .kind = OPTION_CHOICE,
				 .choices = sorts,
				 .string = sorts[0],
				 .help = "largest first by outstanding (default) or allocated "
					 "bytes; rss: the "
					 "stacks that resident memory grew by"},
		[STACKS_TOP] = {.name = "--top",
				.value_name = "K",
				.kind = OPTION_COUNT,
				.maximum = COMMAND_TOP_MAX,
				.help = "show the first K sites; 0: all (default)"},
		[STACKS_FULL] = OPTION_WHOLE_STACKS,
	};
	struct options_line line = {
		.command = "stacks",
		.description =
			"Shows every stack that allocated in a watched process, without verdict.",
		.options = options,
		.option_count = STACKS_OPTIONS,
	};
	struct sites_view view = {0};
	int exit_code;
	char *path;

	if (!options_parse(&line, global, argc, argv, NULL, &exit_code))
		return exit_code;
	path = text_format("/api/v1/processes/%" PRIu64 "/stacks?sort=%s&top=%" PRIu64,
			   options[STACKS_PID].count, options[STACKS_SORT].string,
			   options[STACKS_TOP].count);
	view.stacks_whole = options[STACKS_FULL].is_set;
	exit_code = command_ask_sites(global, path, stacks_show, &view);
	free(path);
	return exit_code;
}
