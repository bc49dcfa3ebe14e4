/* SPDX-License-Identifier: Apache-2.0 */
/* The report as JSON, see docs/api.md. */
#include "group_rows.h"

#include "json.h"
#include "render.h"
#include "text.h"

#include <stdlib.h>

static void add_string(cJSON *object, const char *name, const char *value)
{
	cJSON_AddItemToObject(object, name, value ? cJSON_CreateString(value) : cJSON_CreateNull());
}

static void add_line(cJSON *object, uint32_t line)
{
	cJSON_AddItemToObject(object, "line", line ? cJSON_CreateNumber(line) : cJSON_CreateNull());
}

/* What is said of an account as a whole. */
static void add_account(cJSON *report, const char *name, const cJSON *account)
{
	static const char *const fields[] = {
		"pid",
		"comm",
		"start_time",
		"observed_seconds",
		"sampling_interval_bytes",
		"complete",
		"incomplete_reason",
		"outstanding_bytes",
		"outstanding_bytes_stderr",
		"outstanding_objects",
		"peak_bytes",
		"ended",
	};
	cJSON *head = cJSON_AddObjectToObject(report, name);

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		const cJSON *field = cJSON_GetObjectItemCaseSensitive(account, fields[i]);

		if (field)
			cJSON_AddItemToObject(head, fields[i], cJSON_Duplicate(field, true));
	}
}

static void add_values(cJSON *object, const struct group_row *row, bool has_changes)
{
	const struct group_values *after = &row->after, *change = &row->change;

	cJSON_AddNumberToObject(object, "outstanding_bytes", after->bytes);
	cJSON_AddNumberToObject(object, "outstanding_bytes_stderr", after->bytes_stderr);
	cJSON_AddNumberToObject(object, "outstanding_objects", after->objects);
	cJSON_AddNumberToObject(object, "python_arena_bytes", after->python_arena_bytes);
	cJSON_AddNumberToObject(object, "allocated_bytes", after->allocated_bytes);
	cJSON_AddNumberToObject(object, "allocated_objects", after->allocated_objects);
	if (!has_changes)
		return;
	cJSON_AddNumberToObject(object, "outstanding_bytes_change", change->bytes);
	cJSON_AddNumberToObject(object, "outstanding_bytes_change_stderr", change->bytes_stderr);
	cJSON_AddNumberToObject(object, "outstanding_objects_change", change->objects);
	cJSON_AddNumberToObject(object, "allocated_bytes_change", change->allocated_bytes);
	cJSON_AddNumberToObject(object, "allocated_objects_change", change->allocated_objects);
}

static void add_frame(cJSON *object, const struct answer_frame *frame)
{
	add_string(object, "kind", frame->kind);
	add_string(object, "file", frame->file);
	add_line(object, frame->line);
	add_string(object, "function", frame->function);
	add_string(object, "qualified_name", frame->qualified_name);
	add_string(object, "module", frame->module);
}

static void add_traceback(cJSON *object, const struct line_group *group)
{
	cJSON *traceback = cJSON_AddArrayToObject(object, "traceback");

	for (size_t i = 0; i < group->frame_count; i++) {
		cJSON *frame;

		if (line_frame_is_python(&group->frames[i]) != (group->kind == LINE_PYTHON))
			continue;
		frame = cJSON_CreateObject();
		add_frame(frame, &group->frames[i]);
		cJSON_AddItemToArray(traceback, frame);
	}
}

/* Only what all of the group have in common. */
static cJSON *group_object(const struct group_report *report, const struct group_row *row)
{
	enum line_group_by by = report->options.group_by;
	struct answer_frame frame = *row->group->frame;
	cJSON *object = cJSON_CreateObject();

	if (by == LINE_BY_FUNCTION || by == LINE_BY_FILE || by == LINE_BY_MODULE)
		frame.line = 0;
	if (by == LINE_BY_FILE || by == LINE_BY_MODULE)
		frame.function = frame.qualified_name = NULL;
	if (by == LINE_BY_MODULE)
		frame.file = NULL;
	add_frame(object, &frame);
	if (by == LINE_BY_TRACEBACK)
		add_traceback(object, row->group);
	add_values(object, row, report->before != NULL);
	return object;
}

static void add_rest(cJSON *json, const struct group_report *report, const char *name,
		     group_get_sum get)
{
	struct group_row row = group_rows_sum(report, get);

	add_values(cJSON_AddObjectToObject(json, name), &row, report->before != NULL);
}

void group_report_show_json(const struct group_report *report)
{
	cJSON *json = cJSON_CreateObject();
	cJSON *groups;
	char *text;

	add_string(json, "group_by", line_group_by_names[report->options.group_by]);
	cJSON_AddBoolToObject(json, "cumulative", report->options.is_cumulative);
	if (report->before)
		add_account(json, "before", report->before_account);
	add_account(json, "after", report->after_account);
	cJSON_AddNumberToObject(json, "groups_total", (double)report->row_count);
	groups = cJSON_AddArrayToObject(json, "groups");
	for (size_t i = 0; i < report->listed; i++)
		cJSON_AddItemToArray(groups, group_object(report, &report->rows[i]));
	add_rest(json, report, "unknown", line_groups_unknown);
	add_rest(json, report, "left_out", line_groups_left_out);
	add_rest(json, report, "total", line_groups_total);
	text = cJSON_PrintUnformatted(json);
	if (!text)
		text_fail_out_of_memory();
	render_json(text);
	free(text);
	cJSON_Delete(json);
}
