/* SPDX-License-Identifier: Apache-2.0 */
#include "flame.h"

#include "command.h"
#include "output_file.h"
#include "render.h"
#include "stack.h"
#include "text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { FLAME_PID, FLAME_OUTPUT, FLAME_VALUE, FLAME_OPTIONS };

static bool ends_with(const char *text, const char *end)
{
	size_t length = strlen(text), end_length = strlen(end);

	return length > end_length && strcmp(text + length - end_length, end) == 0;
}

static int write_file(const char *path, const cJSON *answer, enum stack_value value)
{
	struct output_file file;

	if (output_file_open(&file, path))
		return COMMAND_EXIT_NO;
	flame_write(file.stream, answer, value, ends_with(path, ".html"));
	return output_file_close(&file) ? COMMAND_EXIT_NO : COMMAND_EXIT_FINE;
}

int flame_main(struct options_global *global, int argc, char **argv)
{
	struct option options[FLAME_OPTIONS] = {
		[FLAME_PID] = OPTION_PID("the process; it is watched"),
		[FLAME_OUTPUT] = {.name = "-o",
				  .value_name = "FILE",
				  .kind = OPTION_STRING,
				  .is_required = true,
				  .help = "where to: a name that ends in .svg or .html"},
		[FLAME_VALUE] = OPTION_STACK_VALUE,
	};
	struct options_line line = {
		.command = "flame",
		.description =
			"Draws a flame graph of what a watched process holds, to be opened in "
			"a browser: a click zooms, Escape leads back.",
		.options = options,
		.option_count = FLAME_OPTIONS,
	};
	struct client_answer answer;
	const char *file;
	int exit_code;
	char *path;

	if (!options_parse(&line, global, argc, argv, NULL, &exit_code))
		return exit_code;
	file = options[FLAME_OUTPUT].string;
	if (!ends_with(file, ".svg") && !ends_with(file, ".html")) {
		render_complain(
			"flame: -o wants a name that ends in .svg or .html, not \"%s\" (see "
			"memwatchctl flame --help)",
			file);
		return COMMAND_EXIT_USAGE;
	}
	if (options_is_json(global)) {
		render_complain("flame: a picture is drawn: --json has no place here (see "
				"memwatchctl stacks --help)");
		return COMMAND_EXIT_USAGE;
	}
	path = text_format("/api/v1/processes/%" PRIu64 "/stacks?top=0", options[FLAME_PID].count);
	exit_code = command_fetch(global, CLIENT_GET, path, &answer);
	free(path);
	if (exit_code != COMMAND_EXIT_FINE)
		return exit_code;
	stack_complain_pending(answer.json);
	exit_code = write_file(file, answer.json, stack_value_find(options[FLAME_VALUE].string));
	client_answer_release(&answer);
	return exit_code;
}
