/* SPDX-License-Identifier: Apache-2.0 */
#include "group_rows.h"

#include "text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static struct group_values values_of(const struct line_sum *sum)
{
	if (!sum)
		return (struct group_values){0};
	return (struct group_values){
		.bytes = (double)sum->outstanding_bytes,
		.bytes_stderr = sum->outstanding_bytes_stderr,
		.objects = sum->outstanding_objects,
		.python_arena_bytes = (double)sum->python_arena_bytes,
		.allocated_bytes = (double)sum->allocated_bytes,
		.allocated_objects = sum->allocated_objects,
	};
}

static void fill_row(struct group_row *row, const struct line_sum *before,
		     const struct line_sum *after)
{
	struct group_values from = values_of(before);

	row->after = values_of(after);
	row->change = (struct group_values){
		.bytes = row->after.bytes - from.bytes,
		.objects = row->after.objects - from.objects,
		.allocated_bytes = row->after.allocated_bytes - from.allocated_bytes,
		.allocated_objects = row->after.allocated_objects - from.allocated_objects,
		/* Blocks that are in both err in the same way: this is the most it can be. */
		.bytes_stderr = hypot(row->after.bytes_stderr, from.bytes_stderr),
	};
}

static const struct line_sum *sum_of(const struct group_report *report,
				     const struct line_group *group)
{
	if (!group)
		return NULL;
	return report->options.is_cumulative ? &group->cumulative : &group->own;
}

struct group_row group_rows_sum(const struct group_report *report, group_get_sum get)
{
	struct group_row row = {0};

	fill_row(&row, report->before ? get(report->before->lines) : NULL,
		 get(report->after->lines));
	return row;
}

/* ---- Sorting ---- */

enum group_sort group_sort_find(const char *name)
{
	static const char *const names[] = {"change", "outstanding", "objects", "allocated"};

	for (int i = GROUP_SORT_OUTSTANDING; i <= GROUP_SORT_ALLOCATED; i++)
		if (strcmp(names[i], name) == 0)
			return (enum group_sort)i;
	return GROUP_SORT_CHANGE;
}

static double sort_value(const struct group_row *row, enum group_sort sort, bool has_changes)
{
	const struct group_values *values = has_changes ? &row->change : &row->after;

	switch (sort) {
	case GROUP_SORT_OUTSTANDING:
		return row->after.bytes;
	case GROUP_SORT_OBJECTS:
		return fabs(values->objects);
	case GROUP_SORT_ALLOCATED:
		return fabs(values->allocated_bytes);
	case GROUP_SORT_CHANGE:
		break;
	}
	return fabs(values->bytes);
}

static int compare_rows(const void *a, const void *b, void *context)
{
	static const enum group_sort orders[] = {GROUP_SORT_CHANGE, GROUP_SORT_OUTSTANDING,
						 GROUP_SORT_OBJECTS, GROUP_SORT_ALLOCATED};
	const struct group_report *report = context;
	enum group_sort sort = report->options.sort;
	bool has_changes = report->before != NULL;

	for (size_t i = 0; i <= sizeof(orders) / sizeof(orders[0]); i++) {
		double left = sort_value(a, sort, has_changes);
		double right = sort_value(b, sort, has_changes);

		if (left != right)
			return left < right ? 1 : -1;
		if (i < sizeof(orders) / sizeof(orders[0]))
			sort = orders[i];
	}
	return 0;
}

/* ---- The rows ---- */

/* Lines that only call others are in the groups as well, with nothing of their own. */
static bool is_empty(const struct line_sum *sum)
{
	return !sum || (sum->allocated_bytes == 0 && sum->outstanding_bytes == 0);
}

static void add_row(struct group_report *report, const struct line_group *group,
		    const struct line_group *before, const struct line_group *after)
{
	const struct line_sum *from = sum_of(report, before), *to = sum_of(report, after);

	if (is_empty(from) && is_empty(to))
		return;
	report->rows[report->row_count].group = group;
	fill_row(&report->rows[report->row_count++], from, to);
}

static void add_rows(struct group_report *report)
{
	const struct line_groups *before = report->before ? report->before->lines : NULL;
	const struct line_group *groups;
	size_t count;

	groups = line_groups_list(report->after->lines, &count);
	for (size_t i = 0; i < count; i++)
		add_row(report, &groups[i], before ? line_groups_find(before, &groups[i]) : NULL,
			&groups[i]);
	if (!before)
		return;
	groups = line_groups_list(before, &count);
	for (size_t i = 0; i < count; i++)
		if (!line_groups_find(report->after->lines, &groups[i]))
			add_row(report, &groups[i], &groups[i], NULL);
}

static size_t count_groups(const struct groups *groups)
{
	size_t count = 0;

	if (groups)
		line_groups_list(groups->lines, &count);
	return count;
}

struct group_report *group_report_new(const cJSON *before, const cJSON *after,
				      const struct group_report_options *options)
{
	struct group_report *report = calloc(1, sizeof(*report));

	if (!report)
		text_fail_out_of_memory();
	report->options = *options;
	report->before_account = before;
	report->after_account = after;
	report->after = groups_new(after, options->group_by, options->file, options->function);
	if (before)
		report->before =
			groups_new(before, options->group_by, options->file, options->function);
	report->rows = calloc(count_groups(report->before) + count_groups(report->after) + 1,
			      sizeof(*report->rows));
	if (!report->rows)
		text_fail_out_of_memory();
	add_rows(report);
	qsort_r(report->rows, report->row_count, sizeof(*report->rows), compare_rows, report);
	report->listed =
		options->top && options->top < report->row_count ? options->top : report->row_count;
	return report;
}

void group_report_free(struct group_report *report)
{
	if (report->before)
		groups_free(report->before);
	groups_free(report->after);
	free(report->rows);
	free(report);
}
