/* SPDX-License-Identifier: Apache-2.0 */
#include "export.h"

#include "command.h"
#include "output_file.h"
#include "render.h"
#include "stack.h"
#include "text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { EXPORT_PID, EXPORT_FORMAT, EXPORT_VALUE, EXPORT_OUTPUT, EXPORT_OPTIONS };

static void write_answer(FILE *out, const cJSON *answer, const struct option *options)
{
	enum stack_value value = stack_value_find(options[EXPORT_VALUE].string);

	if (strcmp(options[EXPORT_FORMAT].string, "folded") == 0)
		export_folded(out, answer, value);
	else
		export_speedscope(out, answer, value);
}

static int write_to(const char *path, const cJSON *answer, const struct option *options)
{
	struct output_file file;

	if (output_file_open(&file, path))
		return COMMAND_EXIT_NO;
	write_answer(file.stream, answer, options);
	return output_file_close(&file) ? COMMAND_EXIT_NO : COMMAND_EXIT_FINE;
}

int export_main(struct options_global *global, int argc, char **argv)
{
	static const char *const formats[] = {"folded", "speedscope", NULL};
	struct option options[EXPORT_OPTIONS] = {
		[EXPORT_PID] = OPTION_PID("the process; it is watched"),
		[EXPORT_FORMAT] = {.name = "--format",
				   .value_name = "FORMAT",
				   .kind = OPTION_CHOICE,
				   .is_required = true,
				   .choices = formats,
				   .help = "folded (a line for each stack, as flamegraph.pl takes "
					   "it) or speedscope"},
		[EXPORT_VALUE] = OPTION_STACK_VALUE,
		[EXPORT_OUTPUT] = {.name = "-o",
				   .value_name = "FILE",
				   .kind = OPTION_STRING,
				   .help = "write it there (default: standard output)"},
	};
	struct options_line line = {
		.command = "export",
		.description = "Writes the stacks of a watched process in a format of other tools.",
		.options = options,
		.option_count = EXPORT_OPTIONS,
	};
	struct client_answer answer;
	int exit_code;
	char *path;

	if (!options_parse(&line, global, argc, argv, NULL, &exit_code))
		return exit_code;
	if (options_is_json(global)) {
		render_complain("export: --format says what is written: --json has no place here "
				"(see memwatchctl export --help)");
		return COMMAND_EXIT_USAGE;
	}
	path = text_format("/api/v1/processes/%" PRIu64 "/stacks?top=0", options[EXPORT_PID].count);
	exit_code = command_fetch(global, CLIENT_GET, path, &answer);
	free(path);
	if (exit_code != COMMAND_EXIT_FINE)
		return exit_code;
	stack_complain_pending(answer.json);
	if (options[EXPORT_OUTPUT].is_set)
		exit_code = write_to(options[EXPORT_OUTPUT].string, answer.json, options);
	else
		write_answer(stdout, answer.json, options);
	client_answer_release(&answer);
	return exit_code;
}
