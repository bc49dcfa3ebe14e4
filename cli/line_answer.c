/* SPDX-License-Identifier: Apache-2.0 */
#include "line_answer.h"

#include "json.h"
#include "source_file.h"
#include "text.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- Lines in an order of their own ---- */

struct line_list {
	cJSON **lines;
	size_t count;
};

/* To free: lines alone. */
static struct line_list list_lines(const cJSON *answer)
{
	const cJSON *lines = json_child(answer, "lines");
	struct line_list list = {0};
	cJSON *line;

	list.lines = calloc((size_t)cJSON_GetArraySize(lines) + 1, sizeof(cJSON *));
	if (!list.lines)
		text_fail_out_of_memory();
	cJSON_ArrayForEach(line, lines)
	{
		list.lines[list.count++] = line;
	}
	return list;
}

static int compare_names(const void *a, const void *b)
{
	const cJSON *left = *(cJSON *const *)a, *right = *(cJSON *const *)b;
	static const char *const fields[] = {"file", "function", "qualified_name"};
	double left_line = json_number(left, "line"), right_line = json_number(right, "line");
	int order = 0;

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]) && order == 0; i++)
		order = strcmp(json_string_or(left, fields[i], ""),
			       json_string_or(right, fields[i], ""));
	if (order == 0 && left_line != right_line)
		order = left_line < right_line ? -1 : 1;
	return order;
}

static struct line_list list_by_name(const cJSON *answer)
{
	struct line_list list = list_lines(answer);

	qsort(list.lines, list.count, sizeof(cJSON *), compare_names);
	return list;
}

/* ---- Increments ---- */

static void add_increment(cJSON *to, const cJSON *before)
{
	cJSON_AddNumberToObject(to, "increment_bytes",
				json_number(to, "outstanding_bytes") -
					json_number(before, "outstanding_bytes"));
}

void line_answer_add_increments(cJSON *answer, const cJSON *before)
{
	struct line_list earlier = list_by_name(before), lines = list_lines(answer);

	for (size_t i = 0; i < lines.count; i++) {
		cJSON *line = lines.lines[i];
		cJSON *cumulative = cJSON_GetObjectItemCaseSensitive(line, "cumulative");
		cJSON **found = bsearch(&line, earlier.lines, earlier.count, sizeof(cJSON *),
					compare_names);

		add_increment(line, found ? *found : NULL);
		if (cJSON_IsObject(cumulative))
			add_increment(cumulative, found ? json_child(*found, "cumulative") : NULL);
	}
	free(earlier.lines);
	free(lines.lines);
}

static int compare_increments(const void *a, const void *b)
{
	const cJSON *left = *(cJSON *const *)a, *right = *(cJSON *const *)b;
	double left_bytes = json_number(left, "increment_bytes");
	double right_bytes = json_number(right, "increment_bytes");

	if (left_bytes != right_bytes)
		return left_bytes < right_bytes ? 1 : -1;
	left_bytes = json_number(json_child(left, "cumulative"), "increment_bytes");
	right_bytes = json_number(json_child(right, "cumulative"), "increment_bytes");
	if (left_bytes != right_bytes)
		return left_bytes < right_bytes ? 1 : -1;
	return compare_names(a, b);
}

void line_answer_sort_by_increment(cJSON *answer)
{
	cJSON *lines = cJSON_GetObjectItemCaseSensitive(answer, "lines");
	struct line_list list = list_lines(answer);

	qsort(list.lines, list.count, sizeof(cJSON *), compare_increments);
	for (size_t i = 0; i < list.count; i++)
		cJSON_AddItemToArray(lines, cJSON_DetachItemViaPointer(lines, list.lines[i]));
	free(list.lines);
}

/* ---- The top ---- */

/* Numbers of the same names, of which errors add up as squares do. */
static void add_numbers(cJSON *sum, const cJSON *more)
{
	cJSON *number;

	cJSON_ArrayForEach(number, sum)
	{
		double value = json_number(more, number->string);

		if (!cJSON_IsNumber(number))
			continue;
		if (strcmp(number->string, "outstanding_bytes_stderr") == 0)
			cJSON_SetNumberValue(number, hypot(number->valuedouble, value));
		else
			cJSON_SetNumberValue(number, number->valuedouble + value);
	}
}

void line_answer_cut(cJSON *answer, size_t top)
{
	cJSON *lines = cJSON_GetObjectItemCaseSensitive(answer, "lines");
	cJSON *left_out = cJSON_GetObjectItemCaseSensitive(answer, "left_out");
	struct line_list list = list_lines(answer);

	for (size_t i = top; top > 0 && i < list.count; i++) {
		cJSON *line = cJSON_DetachItemViaPointer(lines, list.lines[i]);

		add_numbers(left_out, line);
		cJSON_Delete(line);
	}
	free(list.lines);
}

/* ---- Sources ---- */

/* RFC 3339 in UTC, as the daemon says it. */
static time_t parse_time(const char *text)
{
	struct tm utc = {0};
	const char *end = text ? strptime(text, "%Y-%m-%dT%H:%M:%SZ", &utc) : NULL;

	return end && *end == '\0' ? timegm(&utc) : 0;
}

static void set_string(cJSON *object, const char *name, const char *value)
{
	cJSON_DeleteItemFromObjectCaseSensitive(object, name);
	cJSON_AddItemToObject(object, name, cJSON_CreateString(value));
}

static void add_source(cJSON *line, const struct source_file *file)
{
	double number = json_number(line, "line");
	char *text =
		number > 0 && number <= UINT32_MAX ? source_line(file, (uint32_t)number) : NULL;

	if (text) {
		set_string(line, "source", text);
		cJSON_AddBoolToObject(line, "source_newer", file->is_newer);
	} else if (file->problem[0]) {
		set_string(line, "source_problem", file->problem);
	}
	free(text);
}

void line_answer_add_sources(cJSON *answer)
{
	struct line_list list = list_by_name(answer);
	double pid = json_number(answer, "pid");
	struct source_root root = {.root_fd = -1, .cwd_fd = -1};
	struct source_file file = {0};
	const char *path = NULL;

	/* One that has ended has no files, and its pid may be another's. */
	if (!json_is_true(answer, "ended") && pid >= 1 && pid <= INT32_MAX)
		source_root_open(&root, (pid_t)pid, parse_time(json_string(answer, "start_time")));
	for (size_t i = 0; i < list.count; i++) {
		const char *next = json_string(list.lines[i], "file");

		if (!next)
			continue;
		if (!path || strcmp(path, next) != 0) {
			source_release(&file);
			source_read(&root, next, &file);
			path = next;
		}
		add_source(list.lines[i], &file);
	}
	source_release(&file);
	source_root_close(&root);
	free(list.lines);
}
