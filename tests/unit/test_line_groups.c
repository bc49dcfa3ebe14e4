/* SPDX-License-Identifier: Apache-2.0 */
/* Sites summed up by Python line: whose bytes are whose, and that none is lost or counted twice. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "view/lines.h"

#define INTERVAL_BYTES 65536

/* Python frames, in the stacks of which the innermost comes first. */
#define LOAD                                                                             \
	{                                                                                \
		.kind = "python", .file = "/srv/train.py", .line = 3, .function = "load" \
	}
#define LOAD_LATER                                                                       \
	{                                                                                \
		.kind = "python", .file = "/srv/train.py", .line = 4, .function = "load" \
	}
#define MAIN                                                                                 \
	{                                                                                    \
		.kind = "python", .file = "/srv/train.py", .line = 9, .function = "<module>" \
	}
#define ONES                                                                        \
	{                                                                           \
		.kind = "python", .file = "/usr/lib/numpy/numeric.py", .line = 190, \
		.function = "ones", .qualified_name = "ones"                        \
	}
#define NUMPY                                                                                  \
	{                                                                                      \
		.kind = "native", .function = "array_new", .module = "/usr/lib/multiarray.so", \
		.offset = 16                                                                   \
	}
#define LIBC                                                               \
	{                                                                  \
		.kind = "native", .module = "/lib/libc.so.6", .offset = 32 \
	}

static struct answer_site make_site(const struct answer_frame *frames, size_t count, int64_t bytes)
{
	return (struct answer_site){
		.frames = (struct answer_frame *)frames,
		.frame_count = count,
		.outstanding_bytes = bytes,
		.outstanding_objects = 1,
		.allocated_bytes = (uint64_t)bytes + 100,
		.allocated_objects = 2,
		.freed_bytes = 100,
		.freed_objects = 1,
	};
}

#define SITE(frames, bytes) make_site(frames, sizeof(frames) / sizeof((frames)[0]), bytes)

static void add(struct line_groups *groups, struct answer_site site)
{
	assert_int_equal(line_groups_add(groups, &site), 0);
}

static struct line_groups *group(const struct line_groups_options *options,
				 const struct answer_site *sites, size_t count)
{
	struct line_groups *groups = line_groups_new(options);

	assert_non_null(groups);
	for (size_t i = 0; i < count; i++)
		add(groups, sites[i]);
	line_groups_finish(groups, LINE_SORT_OUTSTANDING);
	return groups;
}

/* The group of that function and line (0: any); NULL: none. */
static const struct line_group *find(const struct line_groups *groups, const char *function,
				     uint32_t line)
{
	size_t count;
	const struct line_group *list = line_groups_list(groups, &count);

	for (size_t i = 0; i < count; i++)
		if (list[i].frame->function && strcmp(list[i].frame->function, function) == 0 &&
		    (!line || list[i].frame->line == line))
			return &list[i];
	return NULL;
}

static int64_t total_of(const struct line_groups *groups)
{
	size_t count;
	const struct line_group *list = line_groups_list(groups, &count);
	int64_t sum = line_groups_native(groups)->outstanding_bytes +
		      line_groups_unknown(groups)->outstanding_bytes +
		      line_groups_left_out(groups)->outstanding_bytes;

	for (size_t i = 0; i < count; i++)
		sum += list[i].own.outstanding_bytes;
	return sum;
}

static const struct answer_frame load_stack[] = {NUMPY, LOAD, MAIN, LIBC};
static const struct answer_frame later_stack[] = {LOAD_LATER, MAIN};
static const struct answer_frame ones_stack[] = {NUMPY, ONES, LOAD, MAIN};
static const struct answer_frame deep_stack[] = {LOAD, LOAD, LOAD, MAIN, MAIN};
static const struct answer_frame native_stack[] = {NUMPY, LIBC};

/* Of every kind one. */
static void fill(struct answer_site sites[6])
{
	sites[0] = SITE(load_stack, 1000);
	sites[1] = SITE(later_stack, 200);
	sites[2] = SITE(ones_stack, 30);
	sites[3] = SITE(deep_stack, 4);
	sites[4] = SITE(native_stack, 50000);
	sites[5] = make_site(NULL, 0, 600000);
}

static void test_bytes_are_the_innermost_python_lines_own(void **state)
{
	struct line_groups_options options = {.group_by = LINE_BY_LINE};
	struct answer_site sites[6];
	struct line_groups *groups;

	(void)state;
	fill(sites);
	groups = group(&options, sites, 6);
	assert_int_equal(find(groups, "load", 3)->own.outstanding_bytes, 1004);
	assert_int_equal(find(groups, "load", 4)->own.outstanding_bytes, 200);
	assert_int_equal(find(groups, "ones", 0)->own.outstanding_bytes, 30);
	assert_int_equal(find(groups, "<module>", 0)->own.outstanding_bytes, 0);
	assert_null(find(groups, "array_new", 0));
	line_groups_free(groups);
}

static void test_a_line_counts_once_for_each_stack_that_has_it(void **state)
{
	struct line_groups_options options = {.group_by = LINE_BY_LINE};
	struct answer_site sites[6];
	struct line_groups *groups;

	(void)state;
	fill(sites);
	groups = group(&options, sites, 6);
	assert_int_equal(find(groups, "load", 3)->cumulative.outstanding_bytes, 1034);
	assert_int_equal(find(groups, "<module>", 0)->cumulative.outstanding_bytes, 1234);
	assert_int_equal(find(groups, "<module>", 0)->cumulative.allocated_bytes, 1634);
	assert_true(find(groups, "<module>", 0)->cumulative.freed_objects == 4);
	line_groups_free(groups);
}

static void test_arenas_are_a_part_of_what_is_held(void **state)
{
	struct line_groups_options options = {.group_by = LINE_BY_LINE};
	struct answer_site sites[6];
	struct line_groups *groups;

	(void)state;
	fill(sites);
	sites[2].is_python_arena = true;
	sites[4].is_python_arena = true;
	groups = group(&options, sites, 6);
	assert_int_equal(find(groups, "ones", 0)->own.python_arena_bytes, 30);
	assert_int_equal(find(groups, "load", 3)->own.python_arena_bytes, 0);
	assert_int_equal(find(groups, "load", 3)->cumulative.python_arena_bytes, 30);
	assert_int_equal(line_groups_native(groups)->python_arena_bytes, 50000);
	assert_int_equal(line_groups_total(groups)->python_arena_bytes, 50030);
	line_groups_free(groups);
}

static void test_own_bytes_and_the_rest_are_the_total(void **state)
{
	static const char *const files[] = {NULL, "train.py", "*/numpy/*", "nothing"};
	static const char *const functions[] = {NULL, "load", "<module>"};
	struct answer_site sites[6];

	(void)state;
	fill(sites);
	for (int by = LINE_BY_LINE; by <= LINE_BY_MODULE; by++) {
		for (size_t i = 0; i < 12; i++) {
			struct line_groups_options options = {
				.group_by = (enum line_group_by)by,
				.has_native_groups = i % 2,
				.file = files[i % 4],
				.function = functions[i / 4],
			};
			struct line_groups *groups = group(&options, sites, 6);

			assert_int_equal(total_of(groups), 651234);
			assert_int_equal(line_groups_total(groups)->outstanding_bytes, 651234);
			assert_int_equal(line_groups_unknown(groups)->outstanding_bytes, 600000);
			line_groups_free(groups);
		}
	}
}

static void test_stacks_without_python_are_the_native_rest(void **state)
{
	struct line_groups_options options = {.group_by = LINE_BY_LINE};
	struct answer_site sites[6];
	struct line_groups *groups;

	(void)state;
	fill(sites);
	groups = group(&options, sites, 6);
	assert_int_equal(line_groups_native(groups)->outstanding_bytes, 50000);
	line_groups_free(groups);
	options.has_native_groups = true;
	groups = group(&options, sites, 6);
	assert_int_equal(line_groups_native(groups)->outstanding_bytes, 0);
	assert_int_equal(find(groups, "array_new", 0)->own.outstanding_bytes, 50000);
	assert_int_equal(find(groups, "array_new", 0)->kind, LINE_NATIVE);
	/* Python's stacks are grouped by their Python frames all the same. */
	assert_int_equal(find(groups, "array_new", 0)->cumulative.outstanding_bytes, 50000);
	line_groups_free(groups);
}

static void test_groupings_put_together_what_they_name(void **state)
{
	static const size_t counts[] = {
		[LINE_BY_LINE] = 4,      [LINE_BY_FILE] = 2,   [LINE_BY_FUNCTION] = 3,
		[LINE_BY_TRACEBACK] = 4, [LINE_BY_MODULE] = 3,
	};
	struct answer_site sites[6];

	(void)state;
	fill(sites);
	for (int by = LINE_BY_LINE; by <= LINE_BY_MODULE; by++) {
		struct line_groups_options options = {.group_by = (enum line_group_by)by};
		struct line_groups *groups = group(&options, sites, 6);
		size_t count;

		line_groups_list(groups, &count);
		assert_int_equal(count, counts[by]);
		line_groups_free(groups);
	}
}

static void test_a_module_is_that_of_the_innermost_frame(void **state)
{
	struct line_groups_options options = {.group_by = LINE_BY_MODULE};
	struct answer_site sites[6];
	const struct line_group *list;
	struct line_groups *groups;
	size_t count;

	(void)state;
	fill(sites);
	groups = group(&options, sites, 6);
	list = line_groups_list(groups, &count);
	assert_string_equal(list[0].frame->module, "/usr/lib/multiarray.so");
	assert_int_equal(list[0].own.outstanding_bytes, 51030);
	/* Python itself, by the lines that have no native frame within. */
	assert_int_equal(list[1].kind, LINE_PYTHON);
	assert_int_equal(list[1].own.outstanding_bytes, 204);
	assert_string_equal(list[2].frame->module, "/lib/libc.so.6");
	assert_int_equal(list[2].own.outstanding_bytes, 0);
	assert_int_equal(list[2].cumulative.outstanding_bytes, 51000);
	line_groups_free(groups);
}

static void test_the_same_traceback_is_one_whatever_lies_beneath_it(void **state)
{
	static const struct answer_frame other[] = {LIBC, NUMPY, LOAD, LIBC, MAIN};
	struct line_groups_options options = {.group_by = LINE_BY_TRACEBACK};
	struct answer_site sites[] = {SITE(load_stack, 1000), SITE(other, 1)};
	struct line_groups *groups;
	size_t count;

	(void)state;
	groups = group(&options, sites, 2);
	assert_int_equal(line_groups_list(groups, &count)->own.outstanding_bytes, 1001);
	assert_int_equal(count, 1);
	line_groups_free(groups);
}

static void test_a_filter_goes_by_file_and_function(void **state)
{
	struct line_groups_options options = {.group_by = LINE_BY_LINE, .file = "train.py"};
	struct answer_site sites[6];
	struct line_groups *groups;

	(void)state;
	fill(sites);
	groups = group(&options, sites, 6);
	assert_null(find(groups, "ones", 0));
	assert_int_equal(line_groups_left_out(groups)->outstanding_bytes, 30);
	/* It was called by a line of that file. */
	assert_int_equal(find(groups, "load", 3)->cumulative.outstanding_bytes, 1034);
	line_groups_free(groups);
	options = (struct line_groups_options){.group_by = LINE_BY_TRACEBACK, .function = "load"};
	groups = group(&options, sites, 6);
	assert_int_equal(line_groups_left_out(groups)->outstanding_bytes, 30);
	line_groups_free(groups);
}

static void test_functions_of_one_name_are_told_apart_by_their_class(void **state)
{
	static const struct answer_frame first[] = {{.kind = "python",
						     .file = "a.py",
						     .function = "__init__",
						     .qualified_name = "A.__init__"}};
	static const struct answer_frame second[] = {{.kind = "python",
						      .file = "a.py",
						      .function = "__init__",
						      .qualified_name = "B.__init__"}};
	struct line_groups_options options = {.group_by = LINE_BY_FUNCTION};
	struct answer_site sites[] = {SITE(first, 1), SITE(second, 2)};
	struct line_groups *groups = group(&options, sites, 2);
	size_t count;

	(void)state;
	line_groups_list(groups, &count);
	assert_int_equal(count, 2);
	line_groups_free(groups);
	options.function = "B.__init__";
	groups = group(&options, sites, 2);
	assert_int_equal(line_groups_list(groups, &count)->own.outstanding_bytes, 2);
	assert_int_equal(count, 1);
	line_groups_free(groups);
}

/* Where two sites of a line have their peaks at different times, the line's is neither's. */
static void test_a_peak_is_of_the_sum_at_one_moment(void **state)
{
	static int64_t rising[] = {10, 200, 900, 1000}, falling[] = {5000, 700, 0, 4};
	struct line_groups_options options = {.group_by = LINE_BY_LINE, .moment_count = 4};
	struct answer_site sites[] = {SITE(load_stack, 1000), SITE(deep_stack, 4)};
	struct line_groups *groups;

	(void)state;
	sites[0].moments_bytes = rising;
	sites[1].moments_bytes = falling;
	groups = group(&options, sites, 2);
	assert_int_equal(find(groups, "load", 3)->own.peak_bytes, 5010);
	assert_int_equal(find(groups, "<module>", 0)->own.peak_bytes, 0);
	assert_int_equal(find(groups, "<module>", 0)->cumulative.peak_bytes, 5010);
	line_groups_free(groups);
	/* A site's own peak may have been between the moments. */
	sites[1].peak_bytes = 7000;
	groups = group(&options, sites, 2);
	assert_int_equal(find(groups, "load", 3)->own.peak_bytes, 7000);
	line_groups_free(groups);
}

/* Each site states its error with two samples added; a sum has them once. */
static void test_errors_add_up_as_variances(void **state)
{
	const double added = 2.0 * INTERVAL_BYTES * INTERVAL_BYTES, variance = 1e10;
	struct line_groups_options options = {.group_by = LINE_BY_LINE,
					      .sampling_interval_bytes = INTERVAL_BYTES};
	struct answer_site sites[] = {SITE(load_stack, 1000), SITE(deep_stack, 4),
				      SITE(later_stack, 1)};
	struct line_groups *groups;
	double stderr_bytes;

	(void)state;
	sites[0].outstanding_bytes_stderr = __builtin_sqrt(variance + added);
	sites[1].outstanding_bytes_stderr = __builtin_sqrt(variance + added);
	groups = group(&options, sites, 3);
	stderr_bytes = find(groups, "load", 3)->own.outstanding_bytes_stderr;
	assert_true(__builtin_fabs(stderr_bytes * stderr_bytes - (2 * variance + added)) < 1e3);
	assert_true(find(groups, "load", 4)->own.outstanding_bytes_stderr == 0);
	line_groups_free(groups);
}

static void test_the_order_is_by_the_key(void **state)
{
	struct line_groups_options options = {.group_by = LINE_BY_LINE};
	struct line_groups *groups = line_groups_new(&options);
	struct answer_site sites[6];
	size_t count;

	(void)state;
	fill(sites);
	for (size_t i = 0; i < 6; i++)
		add(groups, sites[i]);
	line_groups_finish(groups, LINE_SORT_CUMULATIVE);
	assert_string_equal(line_groups_list(groups, &count)[0].frame->function, "<module>");
	line_groups_finish(groups, LINE_SORT_OUTSTANDING);
	assert_string_equal(line_groups_list(groups, &count)[0].frame->function, "load");
	line_groups_finish(groups, LINE_SORT_OBJECTS);
	assert_int_equal(line_groups_list(groups, &count)[0].frame->line, 3);
	line_groups_free(groups);
}

static void test_a_group_is_found_among_others(void **state)
{
	struct answer_site sites[6], fewer[] = {SITE(later_stack, 7)};

	(void)state;
	fill(sites);
	for (int by = LINE_BY_LINE; by <= LINE_BY_TRACEBACK; by++) {
		struct line_groups_options options = {.group_by = (enum line_group_by)by};
		struct line_groups *many = group(&options, sites, 6);
		struct line_groups *few = group(&options, fewer, 1);
		const struct line_group *found;
		size_t count;

		found = line_groups_find(many, line_groups_list(few, &count));
		assert_non_null(found);
		assert_string_equal(found->frame->file, "/srv/train.py");
		assert_null(line_groups_find(few, find(many, "ones", 0)));
		line_groups_free(many);
		line_groups_free(few);
	}
}

static void test_groups_are_bounded_and_none_is_lost(void **state)
{
	struct line_groups_options options = {.group_by = LINE_BY_LINE};
	size_t total = LINE_GROUPS_MAX + 100, count;
	struct answer_frame *frames = calloc(total, sizeof(*frames));
	struct line_groups *groups = line_groups_new(&options);

	(void)state;
	for (size_t i = 0; i < total; i++) {
		frames[i] = (struct answer_frame){
			.kind = "python", .file = "a.py", .line = (uint32_t)i + 1, .function = "f"};
		add(groups, make_site(&frames[i], 1, 10));
	}
	line_groups_finish(groups, LINE_SORT_OUTSTANDING);
	line_groups_list(groups, &count);
	assert_int_equal(count, LINE_GROUPS_MAX);
	assert_true(line_groups_is_full(groups));
	assert_int_equal(line_groups_left_out(groups)->outstanding_bytes, 1000);
	assert_int_equal(total_of(groups), 10 * (int64_t)total);
	line_groups_free(groups);
	free(frames);
}

static void test_sums_stop_at_the_ends_of_their_range(void **state)
{
	struct line_sum sum = {.outstanding_bytes = INT64_MAX, .allocated_bytes = UINT64_MAX};
	const struct line_sum more = {.outstanding_bytes = 1, .allocated_bytes = 1};
	struct line_sum negative = {.outstanding_bytes = INT64_MIN};
	const struct line_sum less = {.outstanding_bytes = -1};

	(void)state;
	line_sum_add(&sum, &more);
	line_sum_add(&negative, &less);
	assert_true(sum.outstanding_bytes == INT64_MAX);
	assert_true(sum.allocated_bytes == UINT64_MAX);
	assert_true(negative.outstanding_bytes == INT64_MIN);
}

static struct answer_sites *make_answer(void)
{
	struct answer_sites *answer = calloc(1, sizeof(*answer));
	struct answer_site sites[6];

	fill(sites);
	answer->sites = calloc(6, sizeof(*answer->sites));
	answer->site_count = 6;
	for (size_t i = 0; i < 6; i++) {
		size_t bytes = sites[i].frame_count * sizeof(*sites[i].frames);

		answer->sites[i] = sites[i];
		answer->sites[i].frames = bytes ? malloc(bytes) : NULL;
		if (bytes)
			memcpy(answer->sites[i].frames, sites[i].frames, bytes);
	}
	return answer;
}

static void test_an_answer_lists_the_first_of_the_filtered_groups(void **state)
{
	const struct view_lines_options all = {.group_by = LINE_BY_LINE};
	const struct view_lines_options first = {.group_by = LINE_BY_LINE,
						 .sort = LINE_SORT_CUMULATIVE,
						 .file = "*/train.py",
						 .top = 1};
	struct answer_lines *answer = lines_of_sites(make_answer(), &all);
	size_t count;

	(void)state;
	assert_int_equal(answer->listed, 4);
	answer_lines_free(answer);
	answer = lines_of_sites(make_answer(), &first);
	assert_int_equal(answer->listed, 1);
	assert_string_equal(line_groups_list(answer->groups, &count)[0].frame->function,
			    "<module>");
	assert_int_equal(count, 3);
	answer_lines_free(answer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes_are_the_innermost_python_lines_own),
		cmocka_unit_test(test_a_line_counts_once_for_each_stack_that_has_it),
		cmocka_unit_test(test_arenas_are_a_part_of_what_is_held),
		cmocka_unit_test(test_own_bytes_and_the_rest_are_the_total),
		cmocka_unit_test(test_stacks_without_python_are_the_native_rest),
		cmocka_unit_test(test_groupings_put_together_what_they_name),
		cmocka_unit_test(test_a_module_is_that_of_the_innermost_frame),
		cmocka_unit_test(test_the_same_traceback_is_one_whatever_lies_beneath_it),
		cmocka_unit_test(test_a_filter_goes_by_file_and_function),
		cmocka_unit_test(test_functions_of_one_name_are_told_apart_by_their_class),
		cmocka_unit_test(test_a_peak_is_of_the_sum_at_one_moment),
		cmocka_unit_test(test_errors_add_up_as_variances),
		cmocka_unit_test(test_the_order_is_by_the_key),
		cmocka_unit_test(test_a_group_is_found_among_others),
		cmocka_unit_test(test_groups_are_bounded_and_none_is_lost),
		cmocka_unit_test(test_an_answer_lists_the_first_of_the_filtered_groups),
		cmocka_unit_test(test_sums_stop_at_the_ends_of_their_range),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
