/* SPDX-License-Identifier: Apache-2.0 */
#include "command.h"
#include "json.h"
#include "render.h"
#include "text.h"

#include <inttypes.h>
#include <stdlib.h>

static void unwatch_show(const cJSON *answer)
{
	struct render render = render_open(stdout);

	render_paragraph(&render, RENDER_PLAIN, 0, "process %.0f is %s", json_number(answer, "pid"),
			 json_is_true(answer, "watched") ? "still watched, for others"
							 : "no longer watched");
}

int unwatch_main(struct options_global *global, int argc, char **argv)
{
	struct option options[] = {OPTION_PID("the process")};
	struct options_line line = {
		.command = "unwatch",
		.description = "Ends the watch of a process, whoever asked for it.",
		.options = options,
		.option_count = 1,
	};
	int exit_code;
	char *path;

	if (!options_parse(&line, global, argc, argv, NULL, &exit_code))
		return exit_code;
	path = text_format("/api/v1/processes/%" PRIu64 "/watch", options[0].count);
	exit_code = command_ask(global, CLIENT_DELETE, path, unwatch_show);
	free(path);
	return exit_code;
}
