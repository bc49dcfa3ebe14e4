/* SPDX-License-Identifier: Apache-2.0 */
#include "command.h"
#include "groups.h"
#include "json.h"
#include "line_answer.h"
#include "number.h"
#include "observed.h"
#include "render.h"
#include "sites.h"
#include "table.h"
#include "text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* As many as a screen has room for; all with --json. */
#define LINES_TOP_DEFAULT 30
/* Narrower terminals show fewer columns. */
#define LINES_WIDE_COLUMNS 120
#define LINES_TEXT_COLUMN  15 /* as sites_show_account() has it */

enum {
	LINES_PID,
	LINES_FILE,
	LINES_FUNCTION,
	LINES_FOR,
	LINES_SORT,
	LINES_TOP,
	LINES_INTERVAL,
	LINES_EXACT,
	LINES_BUDGET,
	LINES_FORCE,
	LINES_OPTIONS
};

/* ---- The table of one file */

static const struct table_column lines_columns[] = {
	{.title = "LINE", .is_right_aligned = true},
	{.title = "HELD", .is_right_aligned = true},
	{.title = "OWN", .is_right_aligned = true},
	{.title = "INCREMENT", .is_right_aligned = true},
	{.title = "PEAK", .is_right_aligned = true},
	{.title = "RESIDENT", .is_right_aligned = true},
	{.title = "ALLOCATED", .is_right_aligned = true},
	{.title = "OBJECTS", .is_right_aligned = true},
	{.title = "SOURCE", .gives_way = true},
};

/* Without RESIDENT, ALLOCATED and OBJECTS, so that the source has room. */
static const struct table_column lines_narrow_columns[] = {
	{.title = "LINE", .is_right_aligned = true},
	{.title = "HELD", .is_right_aligned = true},
	{.title = "OWN", .is_right_aligned = true},
	{.title = "INCREMENT", .is_right_aligned = true},
	{.title = "PEAK", .is_right_aligned = true},
	{.title = "SOURCE", .gives_way = true},
};

static bool lines_is_narrow(const struct render *render)
{
	return render->width < LINES_WIDE_COLUMNS;
}

static struct table *lines_table(const struct render *render)
{
	if (lines_is_narrow(render))
		return table_new(lines_narrow_columns,
				 sizeof(lines_narrow_columns) / sizeof(lines_narrow_columns[0]));
	return table_new(lines_columns, sizeof(lines_columns) / sizeof(lines_columns[0]));
}

/* A tab as the blanks that an editor shows; without source, the function. To free. */
static char *lines_source(const cJSON *line)
{
	const char *source = json_string(line, "source");
	const char *function = json_string(line, "qualified_name");
	char *text, *out;

	if (!source)
		return text_format("(in %s)",
				   function ? function : json_string_or(line, "function", "?"));
	out = text = malloc(4 * strlen(source) + 1);
	if (!text)
		text_fail_out_of_memory();
	for (; *source; source++) {
		if (*source == '\t')
			out = stpcpy(out, "    ");
		else
			*out++ = *source;
	}
	*out = '\0';
	return text;
}

/* Marked where it is arenas, of which lines_show_arenas() tells. To free. */
static char *lines_own(const cJSON *line)
{
	return text_format("%s%s", number_bytes(json_number(line, "outstanding_bytes")).text,
			   json_number(line, "python_arena_bytes") > 0 ? "*" : "");
}

static void lines_add_row(struct table *table, const cJSON *line, bool is_narrow)
{
	const cJSON *cumulative = json_child(line, "cumulative");
	char *number = json_has_number(line, "line")
			       ? text_format("%.0f", json_number(line, "line"))
			       : text_format("-");
	char *source = lines_source(line);
	char *own = lines_own(line);
	struct number_text increment = {"-"}, resident = {"-"};

	if (json_has_number(cumulative, "rss_growth_bytes"))
		resident = number_change(json_number(cumulative, "rss_growth_bytes"));
	if (json_has_number(cumulative, "increment_bytes"))
		increment = number_change(json_number(cumulative, "increment_bytes"));
	table_add(table, RENDER_PLAIN, number);
	table_add(table, RENDER_BOLD,
		  number_bytes(json_number(cumulative, "outstanding_bytes")).text);
	table_add(table, RENDER_PLAIN, own);
	table_add(table, RENDER_PLAIN, increment.text);
	table_add(table, RENDER_PLAIN, number_bytes(json_number(cumulative, "peak_bytes")).text);
	if (!is_narrow) {
		table_add(table, RENDER_PLAIN, resident.text);
		table_add(table, RENDER_PLAIN,
			  number_bytes(json_number(cumulative, "allocated_bytes")).text);
		table_add(table, RENDER_PLAIN,
			  number_count(json_number(cumulative, "outstanding_objects")).text);
	}
	table_add(table, json_string(line, "source") ? RENDER_PLAIN : RENDER_DIM, source);
	free(number);
	free(own);
	free(source);
}

static int lines_compare_numbers(const void *a, const void *b)
{
	double left = json_number(*(const cJSON *const *)a, "line");
	double right = json_number(*(const cJSON *const *)b, "line");

	return left < right ? -1 : left > right;
}

static void lines_show_file_head(const struct render *render, const cJSON *line)
{
	const char *problem = json_string(line, "source_problem");
	char *safe = text_escape(json_string_or(line, "file", "?"));
	char *cut = text_cut_start(safe, render->width);

	render_end_line(render);
	render_text(render, RENDER_BOLD, "%s", cut);
	render_end_line(render);
	if (json_is_true(line, "source_newer"))
		render_paragraph(render, RENDER_WARNING, 2,
				 "(changed since the process started: lines may have moved)");
	else if (problem)
		render_paragraph(render, RENDER_DIM, 2, "(source not shown: %s)", problem);
	free(safe);
	free(cut);
}

/* The lines of one file; they are taken out of the list. */
static void lines_show_file(const struct render *render, const cJSON **lines, size_t *count)
{
	const char *file = json_string_or(lines[0], "file", "");
	const cJSON **of_file = calloc(*count, sizeof(const cJSON *));
	size_t of_file_count = 0, kept = 0;
	struct table *table;

	if (!of_file)
		text_fail_out_of_memory();
	for (size_t i = 0; i < *count; i++) {
		if (strcmp(json_string_or(lines[i], "file", ""), file) == 0)
			of_file[of_file_count++] = lines[i];
		else
			lines[kept++] = lines[i];
	}
	*count = kept;
	qsort(of_file, of_file_count, sizeof(const cJSON *), lines_compare_numbers);
	lines_show_file_head(render, of_file[0]);
	table = lines_table(render);
	for (size_t i = 0; i < of_file_count; i++)
		lines_add_row(table, of_file[i], lines_is_narrow(render));
	table_finish(table, render);
	free(of_file);
}

/* File by file, that of the first line first. */
static void lines_show_files(const struct render *render, const cJSON *answer)
{
	const cJSON *lines = json_child(answer, "lines");
	const cJSON **left = calloc((size_t)cJSON_GetArraySize(lines) + 1, sizeof(const cJSON *));
	size_t count = 0;
	const cJSON *line;

	if (!left)
		text_fail_out_of_memory();
	cJSON_ArrayForEach(line, lines)
	{
		left[count++] = line;
	}
	while (count > 0)
		lines_show_file(render, left, &count);
	free(left);
}

/* ---- The whole */

static void lines_show_arenas(const struct render *render, const cJSON *answer)
{
	double bytes = 0;
	const cJSON *line;

	cJSON_ArrayForEach(line, json_child(answer, "lines"))
	{
		bytes += json_number(line, "python_arena_bytes");
	}
	if (bytes == 0)
		return;
	render_end_line(render);
	render_paragraph(render, RENDER_PLAIN, 0,
			 "* of these, %s are arenas of Python's small objects: one counts for the "
			 "line that needed it, and objects of other lines lie in it as well",
			 number_bytes(bytes).text);
}

static void lines_show_rest(const struct render *render, const cJSON *answer)
{
	static const struct {
		const char *field, *words;
	} rests[] = {
		{"native", "by native code with no Python line above it"},
		{"unknown", "by stacks that could not be taken"},
		{"left_out", "by lines that are not shown"},
	};
	double hidden = json_number(answer, "lines_total") -
			cJSON_GetArraySize(json_child(answer, "lines"));
	bool is_first = true;

	for (size_t i = 0; i < sizeof(rests) / sizeof(rests[0]); i++) {
		double bytes = json_number(json_child(answer, rests[i].field), "outstanding_bytes");

		if (bytes == 0)
			continue;
		if (is_first)
			render_end_line(render);
		is_first = false;
		render_paragraph(render, RENDER_PLAIN, 0, "%s held %s", number_bytes(bytes).text,
				 rests[i].words);
	}
	if (json_is_true(answer, "lines_full"))
		render_paragraph(render, RENDER_WARNING, 0,
				 "There are more lines than can be told apart.");
	if (hidden > 0)
		render_paragraph(render, RENDER_PLAIN, 0, "%s more line%s: --top 0 shows all",
				 number_count(hidden).text, hidden == 1 ? "" : "s");
}

static void lines_show(const cJSON *answer)
{
	struct render render = render_open(stdout);

	render_text(&render, RENDER_BOLD, "%s (pid %.0f)", json_string_or(answer, "comm", "?"),
		    json_number(answer, "pid"));
	render_end_line(&render);
	sites_show_account(&render, answer);
	render_labelled(&render, RENDER_PLAIN, "  peak", LINES_TEXT_COLUMN,
			"%s, %s after the watch began",
			number_bytes(json_number(answer, "peak_bytes")).text,
			number_seconds(json_number(answer, "peak_seconds")).text);
	if (cJSON_GetArraySize(json_child(answer, "lines")) == 0)
		render_paragraph(&render, RENDER_PLAIN, 2,
				 "No allocation with a Python line was seen.");
	else
		render_paragraph(
			&render, RENDER_PLAIN, 2,
			"Of each line: what it and all that it calls holds; OWN is what no "
			"Python line beneath it accounts for.");
	lines_show_files(&render, answer);
	lines_show_arenas(&render, answer);
	lines_show_rest(&render, answer);
}

static void lines_print(const struct options_global *global, const cJSON *answer)
{
	char *json;

	if (!options_is_json(global)) {
		lines_show(answer);
		return;
	}
	json = cJSON_PrintUnformatted(answer);
	if (!json)
		text_fail_out_of_memory();
	render_json(json);
	free(json);
}

/* ---- Asking */

static char *lines_path(const struct option *options)
{
	bool is_local = strcmp(options[LINES_SORT].string, "increment") == 0;
	char *file = command_query("file", &options[LINES_FILE]);
	char *function = command_query("function", &options[LINES_FUNCTION]);
	/* All of them: increments are of lines that were not among the first before. */
	char *path = text_format(
		"/api/v1/processes/%" PRIu64 "/lines?top=0&sort=%s%s%s", options[LINES_PID].count,
		is_local ? line_sort_names[0] : options[LINES_SORT].string, file, function);

	free(file);
	free(function);
	return path;
}

static void lines_complete(const struct option *options, bool is_json, cJSON *answer,
			   const cJSON *before)
{
	bool has_top = !is_json || options[LINES_TOP].is_set;

	if (before)
		line_answer_add_increments(answer, before);
	if (strcmp(options[LINES_SORT].string, "increment") == 0)
		line_answer_sort_by_increment(answer);
	line_answer_cut(answer, has_top ? options[LINES_TOP].count : 0);
	line_answer_add_sources(answer);
}

static int lines_run(const struct options_global *global, const struct option *options,
		     const struct observed_options *observed)
{
	struct client_answer before = {0}, answer = {0};
	char *path = lines_path(options);
	int exit = observed_ask(global, observed, path, &before, &answer);

	free(path);
	if (answer.json) {
		lines_complete(options, options_is_json(global), answer.json, before.json);
		lines_print(global, answer.json);
	}
	exit = observed_conclude(observed, exit, &answer);
	client_answer_release(&before);
	client_answer_release(&answer);
	return exit;
}

static bool lines_check(const struct option *options)
{
	if (strcmp(options[LINES_SORT].string, "increment") != 0 || options[LINES_FOR].seconds > 0)
		return true;
	render_complain("lines: --for 0 observes nothing, so --sort increment has no place there");
	return false;
}

int lines_main(struct options_global *global, int argc, char **argv)
{
	static const char *const sorts[] = {"outstanding", "cumulative", "allocated", "objects",
					    "peak",        "increment",  NULL};
	struct option options[LINES_OPTIONS] = {
		[LINES_PID] = OPTION_PID("the process"),
		[LINES_FILE] = OPTION_FILE_PATTERN,
		[LINES_FUNCTION] = OPTION_FUNCTION_NAME,
		[LINES_FOR] = OPTION_FOR,
		[LINES_SORT] = {.name = "--sort",
				.value_name = "KEY",
				.kind = OPTION_CHOICE,
				.choices = sorts,
				.string = sorts[0],
				.help = "which lines come first: by outstanding (default), "
					"allocated bytes, objects, peak or increment of their own, "
					"or cumulative, with what they call"},
		[LINES_TOP] =
			{.name = "--top",
			 .value_name = "K",
			 .kind = OPTION_COUNT,
			 .maximum = COMMAND_TOP_MAX,
			 .count = LINES_TOP_DEFAULT,
			 .help = "show the first K lines (default 30, all with --json); 0: all"},
		[LINES_INTERVAL] = OPTION_INTERVAL,
		[LINES_EXACT] = OPTION_EXACT,
		[LINES_BUDGET] = OPTION_BUDGET,
		[LINES_FORCE] = OPTION_FORCE,
	};
	struct options_line line = {
		.command = "lines",
		.description = "Shows which Python lines hold memory in a process, with their "
			       "source text: watches it if it is not watched yet, observes it, "
			       "reports, and leaves it as it was found. The program itself is not "
			       "touched.",
		.options = options,
		.option_count = LINES_OPTIONS,
	};
	const struct observed_options observed = {
		.command = "lines",
		.pid = &options[LINES_PID],
		.seconds = &options[LINES_FOR],
		.interval = &options[LINES_INTERVAL],
		.exact = &options[LINES_EXACT],
		.budget = &options[LINES_BUDGET],
		.force = &options[LINES_FORCE],
	};
	int exit_code;

	if (!options_parse(&line, global, argc, argv, NULL, &exit_code))
		return exit_code;
	if (!observed_check(&observed) || !lines_check(options))
		return COMMAND_EXIT_USAGE;
	return lines_run(global, options, &observed);
}
