/* SPDX-License-Identifier: Apache-2.0 */
#include "group_report.h"

#include "group_rows.h"
#include "json.h"
#include "number.h"
#include "render.h"
#include "table.h"
#include "text.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define REPORT_INDENT 6 /* of a traceback's frames */

/* ---- What it begins with */

/* To free. */
static char *describe_peak(const cJSON *account)
{
	if (!json_has_number(account, "peak_bytes"))
		return text_format("%s", "");
	return text_format("; at most %s were held so far",
			   number_bytes(json_number(account, "peak_bytes")).text);
}

static void show_total(const struct render *render, const struct group_report *report)
{
	struct group_row total = group_rows_sum(report, line_groups_total);
	double stderr_bytes = report->before ? total.change.bytes_stderr : total.after.bytes_stderr;
	char *peak = describe_peak(report->after_account);

	render_text(render, RENDER_BOLD,
		    "%s (pid %.0f): ", json_string_or(report->after_account, "comm", "?"),
		    json_number(report->after_account, "pid"));
	if (report->before)
		render_text(render, total.change.bytes > 0 ? RENDER_WARNING : RENDER_GOOD, "%s",
			    number_change(total.change.bytes).text);
	else
		render_text(render, RENDER_BOLD, "%s", number_bytes(total.after.bytes).text);
	if (stderr_bytes >= 0.5)
		render_text(render, RENDER_PLAIN, " %s %s", text_plus_minus(),
			    number_bytes(stderr_bytes).text);
	render_end_line(render);
	if (report->before)
		render_paragraph(render, RENDER_PLAIN, 2, "from %s to %s",
				 number_bytes(total.after.bytes - total.change.bytes).text,
				 number_bytes(total.after.bytes).text);
	render_paragraph(render, RENDER_PLAIN, 2, "in %s objects%s",
			 number_count(total.after.objects).text, peak);
	free(peak);
}

static void show_incomplete(const struct render *render, const cJSON *account, const char *which)
{
	const char *reason = json_string_or(account, "incomplete_reason", "something was lost");

	if (account && !json_is_true(account, "complete"))
		render_paragraph(render, RENDER_ALARM, 2, "%sINCOMPLETE: %s", which, reason);
}

static bool is_same_process(const cJSON *a, const cJSON *b)
{
	return json_number(a, "pid") == json_number(b, "pid") &&
	       strcmp(json_string_or(a, "start_time", ""), json_string_or(b, "start_time", "")) ==
		       0;
}

/* What makes two accounts less comparable than they look. */
static void show_doubts(const struct render *render, const struct group_report *report)
{
	const cJSON *before = report->before_account, *after = report->after_account;

	show_incomplete(render, before, "the first one is ");
	show_incomplete(render, after, before ? "the second one is " : "");
	if (!before)
		return;
	if (!is_same_process(before, after))
		render_paragraph(render, RENDER_WARNING, 2,
				 "They are of two processes: the first of %s (pid %.0f).",
				 json_string_or(before, "comm", "?"), json_number(before, "pid"));
	else if (json_number(after, "observed_seconds") < json_number(before, "observed_seconds"))
		render_paragraph(render, RENDER_WARNING, 2,
				 "The second one is of a later watch, or they are the wrong way "
				 "round: what it does not know of is not gone.");
}

/* ---- Groups */

static bool has_changed(const struct group_row *row)
{
	return row->change.bytes != 0 || row->change.objects != 0 ||
	       row->change.allocated_bytes != 0;
}

static bool is_shown(const struct group_report *report, const struct group_row *row)
{
	return report->before ? has_changed(row)
			      : row->after.bytes != 0 || row->after.allocated_bytes > 0;
}

/* "1,117 (+20)". To free. */
static char *objects_of(const struct group_row *row)
{
	double change = round(row->change.objects);

	return text_format("%s (%s%s)", number_count(row->after.objects).text,
			   change > 0 ? "+" : "", number_count(change == 0 ? 0 : change).text);
}

static struct number_text average_of(const struct group_values *values)
{
	/* A part of an object has no size. */
	if (values->objects < 0.5)
		return (struct number_text){"-"};
	return number_bytes(values->bytes / values->objects);
}

static const struct table_column change_columns[] = {
	{.title = "CHANGE", .is_right_aligned = true},
	{.title = "HELD", .is_right_aligned = true},
	{.title = "OBJECTS", .is_right_aligned = true},
	{.title = "ALLOCATED", .is_right_aligned = true},
	{.title = "WHERE", .gives_way = true},
};

static const struct table_column plain_columns[] = {
	{.title = "HELD", .is_right_aligned = true},
	{.title = "OBJECTS", .is_right_aligned = true},
	{.title = "AVERAGE", .is_right_aligned = true},
	{.title = "ALLOCATED", .is_right_aligned = true},
	{.title = "WHERE", .gives_way = true},
};

static void add_changes(struct table *table, const struct group_row *row)
{
	char *objects = objects_of(row);

	table_add(table, row->change.bytes > 0 ? RENDER_WARNING : RENDER_PLAIN,
		  number_change(row->change.bytes).text);
	table_add(table, RENDER_BOLD, number_bytes(row->after.bytes).text);
	table_add(table, RENDER_PLAIN, objects);
	table_add(table, RENDER_PLAIN, number_change(row->change.allocated_bytes).text);
	free(objects);
}

static void add_values(struct table *table, const struct group_row *row)
{
	table_add(table, RENDER_BOLD, number_bytes(row->after.bytes).text);
	table_add(table, RENDER_PLAIN, number_count(row->after.objects).text);
	table_add(table, RENDER_PLAIN, average_of(&row->after).text);
	table_add(table, RENDER_PLAIN, number_bytes(row->after.allocated_bytes).text);
}

static struct table *table_begin(const struct group_report *report)
{
	if (report->before)
		return table_new(change_columns,
				 sizeof(change_columns) / sizeof(change_columns[0]));
	return table_new(plain_columns, sizeof(plain_columns) / sizeof(plain_columns[0]));
}

static void add_row(const struct group_report *report, struct table *table,
		    const struct group_row *row, const char *name)
{
	if (report->before)
		add_changes(table, row);
	else
		add_values(table, row);
	table_add(table, RENDER_PLAIN, name);
}

static const struct {
	group_get_sum get;
	const char *words;
} rests[] = {
	{line_groups_unknown, "(stacks that could not be taken)"},
	{line_groups_left_out, "(what --file and --function leave out)"},
};

static void show_table(const struct render *render, const struct group_report *report)
{
	struct table *table = table_begin(report);

	for (size_t i = 0; i < report->listed; i++) {
		char *name;

		if (!is_shown(report, &report->rows[i]))
			continue;
		name = groups_name(report->rows[i].group, report->options.group_by);
		add_row(report, table, &report->rows[i], name);
		free(name);
	}
	for (size_t i = 0; i < sizeof(rests) / sizeof(rests[0]); i++) {
		struct group_row row = group_rows_sum(report, rests[i].get);

		if (is_shown(report, &row))
			add_row(report, table, &row, rests[i].words);
	}
	table_finish(table, render);
}

/* ---- Tracebacks: a row, and its frames below */

static void show_frames(const struct render *render, const struct line_group *group)
{
	for (size_t i = 0; i < group->frame_count; i++) {
		const struct answer_frame *frame = &group->frames[i];
		struct line_group alone = {.frame = frame};
		char *name;

		if (line_frame_is_python(frame) != (group->kind == LINE_PYTHON))
			continue;
		name = groups_name(&alone, LINE_BY_LINE);
		render_paragraph(render, RENDER_PLAIN, REPORT_INDENT, "%s", name);
		free(name);
	}
}

static void show_row(const struct render *render, const struct group_report *report,
		     const struct group_row *row, const char *words)
{
	render_end_line(render);
	if (report->before)
		render_text(render, row->change.bytes > 0 ? RENDER_WARNING : RENDER_PLAIN, "%s  ",
			    number_change(row->change.bytes).text);
	render_text(render, RENDER_BOLD, "%s", number_bytes(row->after.bytes).text);
	render_text(render, RENDER_PLAIN, " in %s objects%s", number_count(row->after.objects).text,
		    words);
	render_end_line(render);
}

static void show_rest(const struct render *render, const struct group_report *report)
{
	for (size_t i = 0; i < sizeof(rests) / sizeof(rests[0]); i++) {
		struct group_row row = group_rows_sum(report, rests[i].get);
		char *words = text_format(" %s", rests[i].words);

		if (is_shown(report, &row))
			show_row(render, report, &row, words);
		free(words);
	}
}

static void show_tracebacks(const struct render *render, const struct group_report *report)
{
	for (size_t i = 0; i < report->listed; i++) {
		const struct group_row *row = &report->rows[i];

		if (!is_shown(report, row))
			continue;
		show_row(render, report, row, "");
		show_frames(render, row->group);
	}
	show_rest(render, report);
}

/* Groups that are to be shown, of the rows from first on. */
static size_t count_shown(const struct group_report *report, size_t first)
{
	size_t count = 0;

	for (size_t i = first; i < report->row_count; i++)
		count += is_shown(report, &report->rows[i]);
	return count;
}

void group_report_show(const struct group_report *report)
{
	struct render render = render_open(stdout);
	size_t more = count_shown(report, report->listed);

	show_total(&render, report);
	show_doubts(&render, report);
	if (report->options.group_by == LINE_BY_TRACEBACK) {
		show_tracebacks(&render, report);
	} else {
		render_end_line(&render);
		show_table(&render, report);
	}
	render_end_line(&render);
	if (count_shown(report, 0) == 0)
		render_paragraph(&render, RENDER_PLAIN, 0, "%s",
				 report->before ? "Nothing has changed." : "Nothing was seen.");
	else if (more > 0)
		render_paragraph(&render, RENDER_PLAIN, 0, "%s more: --top 0 shows all",
				 number_count((double)more).text);
}
