/* SPDX-License-Identifier: Apache-2.0 */
/* lines: what each Python line, file, function, traceback or module holds. */
#include "serve/encode.h"

static void encode_sum(struct json *json, const struct line_sum *sum, bool has_rss)
{
	json_int64(json, "outstanding_bytes", sum->outstanding_bytes);
	json_int64(json, "python_arena_bytes", sum->python_arena_bytes);
	json_double(json, "outstanding_bytes_stderr", sum->outstanding_bytes_stderr);
	json_double(json, "outstanding_objects", sum->outstanding_objects);
	json_uint64(json, "allocated_bytes", sum->allocated_bytes);
	json_double(json, "allocated_objects", sum->allocated_objects);
	json_uint64(json, "freed_bytes", sum->freed_bytes);
	json_double(json, "freed_objects", sum->freed_objects);
	if (has_rss)
		json_int64(json, "rss_growth_bytes", sum->rss_growth_bytes);
	else
		json_null(json, "rss_growth_bytes");
}

static void encode_sum_with_peak(struct json *json, const struct line_sum *sum, bool has_rss)
{
	encode_sum(json, sum, has_rss);
	json_int64(json, "peak_bytes", sum->peak_bytes);
}

static void encode_line_number(struct json *json, uint32_t line)
{
	if (line)
		json_uint64(json, "line", line);
	else
		json_null(json, "line");
}

static void encode_traceback(struct json *json, const struct line_group *group)
{
	json_open_array(json, "traceback");
	for (size_t i = 0; i < group->frame_count; i++) {
		const struct answer_frame *frame = &group->frames[i];

		if (!line_frame_is_python(frame))
			continue;
		json_open_object(json, NULL);
		json_string(json, "file", frame->file);
		encode_line_number(json, frame->line);
		json_string(json, "function", frame->function);
		json_string(json, "qualified_name", frame->qualified_name);
		json_close_object(json);
	}
	json_close_array(json);
}

/* Only what all of the group have in common; the fields are there always. */
static void encode_name(struct json *json, const struct line_group *group,
			enum line_group_by group_by)
{
	const struct answer_frame *frame = group->frame;
	bool has_file = group_by != LINE_BY_MODULE;
	bool has_function = has_file && group_by != LINE_BY_FILE;

	json_string(json, "file", has_file ? frame->file : NULL);
	encode_line_number(json, has_function && group_by != LINE_BY_FUNCTION ? frame->line : 0);
	json_string(json, "function", has_function ? frame->function : NULL);
	json_string(json, "qualified_name", has_function ? frame->qualified_name : NULL);
	if (group_by == LINE_BY_MODULE) {
		json_string(json, "kind", frame->kind);
		json_string(json, "module", group->kind == LINE_NATIVE ? frame->module : NULL);
	}
	if (group_by == LINE_BY_TRACEBACK)
		encode_traceback(json, group);
}

static void encode_group(struct json *json, const struct line_group *group,
			 enum line_group_by group_by, bool has_rss)
{
	json_open_object(json, NULL);
	encode_name(json, group, group_by);
	encode_sum_with_peak(json, &group->own, has_rss);
	/* For whoever may read the target's files: the daemon reads none for anybody. */
	json_null(json, "source");
	json_open_object(json, "cumulative");
	encode_sum_with_peak(json, &group->cumulative, has_rss);
	json_close_object(json);
	json_close_object(json);
}

static void encode_rest(struct json *json, const char *key, const struct line_sum *sum,
			bool has_rss)
{
	json_open_object(json, key);
	encode_sum(json, sum, has_rss);
	json_close_object(json);
}

/* What the filter left out, and what is not listed. */
static struct line_sum left_out_of(const struct answer_lines *answer,
				   const struct line_group *groups, size_t count)
{
	struct line_sum sum = *line_groups_left_out(answer->groups);

	for (size_t i = answer->listed; i < count; i++)
		line_sum_add(&sum, &groups[i].own);
	line_sum_finish(&sum, answer->sites->sampling_interval_bytes);
	return sum;
}

void json_lines(struct json *json, const struct answer_lines *answer, enum line_group_by group_by)
{
	size_t count;
	const struct line_group *groups = line_groups_list(answer->groups, &count);
	struct line_sum left_out = left_out_of(answer, groups, count);
	bool has_rss = !answer->sites->rss_refusal;

	json_open_object(json, NULL);
	json_account(json, answer->sites);
	json_int64(json, "current_bytes", answer->sites->outstanding_bytes);
	json_string(json, "group_by", line_group_by_names[group_by]);
	json_uint64(json, "lines_total", count);
	json_bool(json, "lines_full", line_groups_is_full(answer->groups));
	json_open_array(json, "lines");
	for (size_t i = 0; i < answer->listed; i++)
		encode_group(json, &groups[i], group_by, has_rss);
	json_close_array(json);
	encode_rest(json, "left_out", &left_out, has_rss);
	encode_rest(json, "native", line_groups_native(answer->groups), has_rss);
	encode_rest(json, "unknown", line_groups_unknown(answer->groups), has_rss);
	encode_rest(json, "total", line_groups_total(answer->groups), has_rss);
	json_close_object(json);
}
