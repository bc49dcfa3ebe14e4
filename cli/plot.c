/* SPDX-License-Identifier: Apache-2.0 */
#include "command.h"
#include "gnuplot.h"
#include "output_file.h"
#include "plot_script.h"
#include "recording.h"
#include "render.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PLOT_OUTPUT, PLOT_OPTIONS };

/* Whether the name tells which kind of picture is wanted. */
static bool find_kind(const char *name, enum plot_kind *kind)
{
	const char *end = strrchr(name, '.');

	if (end && strcmp(end, ".svg") == 0)
		*kind = PLOT_SVG;
	else if (end && strcmp(end, ".png") == 0)
		*kind = PLOT_PNG;
	else
		return false;
	return true;
}

/* Has anything to be drawn. */
static bool has_samples(const struct recording *recording)
{
	for (size_t i = 0; i < recording->sample_count; i++) {
		if (!isnan(recording_sample_rss(recording, &recording->samples[i])))
			return true;
	}
	return false;
}

/* The script, to be read from its start; NULL with errno. */
static FILE *write_script(const struct recording *recording, enum plot_kind kind)
{
	FILE *script = tmpfile();

	if (!script)
		return NULL;
	plot_script_write(script, recording, kind);
	if (fflush(script) || ferror(script) || lseek(fileno(script), 0, SEEK_SET) != 0) {
		fclose(script);
		return NULL;
	}
	return script;
}

static int draw(const struct recording *recording, const char *path, enum plot_kind kind)
{
	FILE *script = write_script(recording, kind);
	struct output_file output;
	int result = -1;

	if (!script) {
		render_complain("cannot write a temporary file: %m");
		return COMMAND_EXIT_NO;
	}
	if (!output_file_open(&output, path)) {
		result = gnuplot_run(fileno(script), fileno(output.stream));
		if (result)
			output_file_discard(&output, 0);
		else
			result = output_file_close(&output);
	}
	fclose(script);
	return result ? COMMAND_EXIT_NO : COMMAND_EXIT_FINE;
}

static int plot(const char *recording_path, const char *path, enum plot_kind kind)
{
	struct recording recording = {0};
	struct recording_error error;
	int exit_code = COMMAND_EXIT_NO;

	if (recording_read(&recording, recording_path, &error))
		render_complain("cannot read %s: %s", recording_path, error.message);
	else if (!has_samples(&recording))
		render_complain("%s has no sample yet", recording_path);
	else
		exit_code = draw(&recording, path, kind);
	recording_clear(&recording);
	return exit_code;
}

int plot_main(struct options_global *global, int argc, char **argv)
{
	struct option options[PLOT_OPTIONS] = {
		[PLOT_OUTPUT] = {.name = "-o",
				 .value_name = "PICTURE",
				 .kind = OPTION_STRING,
				 .is_required = true,
				 .help = "where to: a name that ends in .svg or .png"},
	};
	struct option file = {.name = "FILE",
			      .value_name = "FILE",
			      .kind = OPTION_STRING,
			      .help = "what record or run --record has written"};
	struct options_line line = {
		.command = "plot",
		.description =
			"Draws a recording: RSS over time, of the process and its children one "
			"upon the other, and what is outstanding of all; both with their peaks. "
			"gnuplot draws it. No daemon is needed.",
		.options = options,
		.option_count = PLOT_OPTIONS,
		.operands = &file,
		.operand_count = 1,
	};
	enum plot_kind kind;
	int exit_code;

	if (!options_parse(&line, global, argc, argv, NULL, &exit_code))
		return exit_code;
	if (!file.is_set) {
		render_complain("plot: which recording? (see memwatchctl plot --help)");
		return COMMAND_EXIT_USAGE;
	}
	if (!find_kind(options[PLOT_OUTPUT].string, &kind)) {
		render_complain("plot: -o wants a name that ends in .svg or .png, not \"%s\"",
				options[PLOT_OUTPUT].string);
		return COMMAND_EXIT_USAGE;
	}
	if (options_is_json(global)) {
		render_complain("plot: a picture is drawn: --json has no place here (the recording "
				"is JSON already)");
		return COMMAND_EXIT_USAGE;
	}
	return plot(file.string, options[PLOT_OUTPUT].string, kind);
}
