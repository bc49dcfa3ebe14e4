/* SPDX-License-Identifier: Apache-2.0 */
#include "groups.h"

#include "json.h"
#include "text.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum line_group_by groups_find_by(const char *name)
{
	int by = 0;

	while (line_group_by_names[by + 1] && strcmp(line_group_by_names[by], name) != 0)
		by++;
	return (enum line_group_by)by;
}

/* Nothing counts that many; the squares of such are still numbers. */
#define COUNT_MAX 9e18

/* ---- From JSON. Whatever it says becomes a number in range. ---- */

static int64_t whole_of(const cJSON *object, const char *name)
{
	double number = json_number(object, name);

	if (!(number > -0x1p63))
		return number <= -0x1p63 ? INT64_MIN : 0;
	return number < 0x1p63 ? (int64_t)number : INT64_MAX;
}

static uint64_t size_of(const cJSON *object, const char *name)
{
	double number = json_number(object, name);

	if (!(number > 0))
		return 0;
	return number < 0x1p64 ? (uint64_t)number : UINT64_MAX;
}

static double count_of(const cJSON *object, const char *name)
{
	double number = json_number(object, name);

	return fabs(number) < COUNT_MAX ? number : 0;
}

static void fill_frame(const cJSON *json, struct answer_frame *frame)
{
	uint64_t line = size_of(json, "line");

	*frame = (struct answer_frame){
		.kind = json_string_or(json, "kind", "native"),
		.function = json_string(json, "function"),
		.qualified_name = json_string(json, "qualified_name"),
		.module = json_string(json, "module"),
		.offset = size_of(json, "offset"),
		.file = json_string(json, "file"),
		.line = line > UINT32_MAX ? 0 : (uint32_t)line,
	};
}

static void fill_site(const cJSON *json, struct answer_site *site)
{
	const cJSON *stack = json_child(json, "stack");
	const cJSON *frame;

	*site = (struct answer_site){
		.is_python_arena = json_is_true(json, "is_python_arena"),
		.outstanding_bytes = whole_of(json, "outstanding_bytes"),
		.outstanding_bytes_stderr = count_of(json, "outstanding_bytes_stderr"),
		.outstanding_objects = count_of(json, "outstanding_objects"),
		.allocated_bytes = size_of(json, "allocated_bytes"),
		.allocated_objects = count_of(json, "allocated_objects"),
		.freed_bytes = size_of(json, "freed_bytes"),
		.freed_objects = count_of(json, "freed_objects"),
		.frames = calloc((size_t)cJSON_GetArraySize(stack) + 1, sizeof(*site->frames)),
	};
	if (!site->frames)
		text_fail_out_of_memory();
	cJSON_ArrayForEach(frame, stack)
	{
		fill_frame(frame, &site->frames[site->frame_count++]);
	}
}

struct groups *groups_new(const cJSON *answer, enum line_group_by group_by, const char *file,
			  const char *function)
{
	const struct line_groups_options options = {
		.group_by = group_by,
		.has_native_groups = true,
		.file = file,
		.function = function,
		.sampling_interval_bytes = size_of(answer, "sampling_interval_bytes"),
	};
	const cJSON *sites = json_child(answer, "sites");
	struct groups *groups = calloc(1, sizeof(*groups));
	const cJSON *json;

	if (!groups)
		text_fail_out_of_memory();
	groups->frames =
		calloc((size_t)cJSON_GetArraySize(sites) + 1, sizeof(struct answer_frame *));
	groups->lines = line_groups_new(&options);
	if (!groups->frames || !groups->lines)
		text_fail_out_of_memory();
	cJSON_ArrayForEach(json, sites)
	{
		struct answer_site site;

		fill_site(json, &site);
		groups->frames[groups->site_count++] = site.frames;
		if (line_groups_add(groups->lines, &site))
			text_fail_out_of_memory();
	}
	line_groups_finish(groups->lines, LINE_SORT_OUTSTANDING);
	return groups;
}

void groups_free(struct groups *groups)
{
	line_groups_free(groups->lines);
	for (size_t i = 0; i < groups->site_count; i++)
		free(groups->frames[i]);
	free(groups->frames);
	free(groups);
}

/* ---- Names ---- */

static char *module_name(const struct answer_frame *frame)
{
	if (line_frame_is_python(frame))
		return text_format("Python itself");
	return text_format("%s", frame->module ? frame->module : "code in no file");
}

static char *place_name(const struct answer_frame *frame, bool has_line)
{
	if (frame->file && has_line && frame->line)
		return text_format("%s:%" PRIu32, frame->file, frame->line);
	if (frame->file)
		return text_format("%s", frame->file);
	return module_name(frame);
}

static char *code_name(const struct answer_frame *frame)
{
	const char *function = line_frame_function(frame);

	if (function)
		return text_format("%s", function);
	return text_format("0x%" PRIx64, frame->offset);
}

char *groups_name(const struct line_group *group, enum line_group_by group_by)
{
	const struct answer_frame *frame = group->frame;
	char *place, *code, *name;

	if (group_by == LINE_BY_MODULE)
		return module_name(frame);
	place = place_name(frame, group_by != LINE_BY_FILE && group_by != LINE_BY_FUNCTION);
	if (group_by == LINE_BY_FILE)
		return place;
	code = code_name(frame);
	name = text_format("%s (%s)", code, place);
	free(place);
	free(code);
	return name;
}
