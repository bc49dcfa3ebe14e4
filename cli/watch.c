/* SPDX-License-Identifier: Apache-2.0 */
#include "command.h"
#include "json.h"
#include "number.h"
#include "render.h"
#include "text.h"

#include <inttypes.h>
#include <stdlib.h>

enum { WATCH_PID, WATCH_INTERVAL, WATCH_EXACT, WATCH_OPTIONS };

static void watch_show(const cJSON *answer)
{
	struct render render = render_open(stdout);
	double interval = json_number(answer, "sampling_interval_bytes");
	double pid = json_number(answer, "pid");

	render_text(&render, RENDER_PLAIN, "process %.0f is %s: ", pid,
		    json_is_true(answer, "was_watched") ? "watched already" : "watched");
	if (!json_has_number(answer, "sampling_interval_bytes"))
		render_text(&render, RENDER_PLAIN, "it draws its samples itself (%s)",
			    json_string_or(answer, "provider", "?"));
	else if (interval <= 1)
		render_text(&render, RENDER_PLAIN, "every allocation counts");
	else
		render_text(&render, RENDER_PLAIN, "one sample every %s",
			    number_bytes(interval).text);
	render_end_line(&render);
}

int watch_main(struct options_global *global, int argc, char **argv)
{
	struct option options[WATCH_OPTIONS] = {
		[WATCH_PID] = OPTION_PID("the process"),
		[WATCH_INTERVAL] = OPTION_INTERVAL,
		[WATCH_EXACT] = OPTION_EXACT,
	};
	struct options_line line = {
		.command = "watch",
		.description = "Watches a process until it exits or is unwatched.",
		.options = options,
		.option_count = WATCH_OPTIONS,
	};
	uint64_t interval_bytes;
	int exit_code;
	char *path;

	if (!options_parse(&line, global, argc, argv, NULL, &exit_code))
		return exit_code;
	if (options[WATCH_INTERVAL].is_set && options[WATCH_EXACT].is_set) {
		render_complain("watch: --interval and --exact exclude each other");
		return COMMAND_EXIT_USAGE;
	}
	interval_bytes = options[WATCH_EXACT].is_set ? 1 : options[WATCH_INTERVAL].count;
	if (interval_bytes)
		path = text_format("/api/v1/processes/%" PRIu64 "/watch?interval=%" PRIu64,
				   options[WATCH_PID].count, interval_bytes);
	else
		path = text_format("/api/v1/processes/%" PRIu64 "/watch", options[WATCH_PID].count);
	exit_code = command_ask(global, CLIENT_PUT, path, watch_show);
	free(path);
	return exit_code;
}
