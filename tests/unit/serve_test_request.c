/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#define EVERY_ARGUMENT 0x3f
#define LINES_ARGUMENTS                                                                   \
	(REQUEST_ARGUMENT_LINE_SORT | REQUEST_ARGUMENT_GROUP_BY | REQUEST_ARGUMENT_FILE | \
	 REQUEST_ARGUMENT_FUNCTION)

static int split(const char *target, struct request_target *parts, struct request_error *error)
{
	return request_split(target, strlen(target), parts, error);
}

static bool matches(const char *target, const char *pattern, char segment[64])
{
	struct request_target parts;
	struct request_error error;
	const char *start = NULL;
	size_t length = 0;
	bool does_match;

	assert_int_equal(split(target, &parts, &error), 0);
	does_match = request_match(&parts, pattern, &start, &length);
	if (start)
		memcpy(segment, start, length);
	segment[length] = '\0';
	return does_match;
}

static void test_a_path_matches_its_pattern_alone(void **state)
{
	char segment[64];

	(void)state;
	assert_true(matches("/metrics", "/metrics", segment));
	assert_true(matches("/metrics?a=b", "/metrics", segment));
	assert_false(matches("/metrics/", "/metrics", segment));
	assert_false(matches("/metric", "/metrics", segment));
	assert_false(matches("/metricsx", "/metrics", segment));
	assert_true(matches("/p/42/leaks", "/p/{pid}/leaks", segment));
	assert_string_equal(segment, "42");
	assert_true(matches("/p/x", "/p/{pid}", segment));
	assert_string_equal(segment, "x");
	assert_false(matches("/p/", "/p/{pid}", segment));
	assert_false(matches("/p//leaks", "/p/{pid}/leaks", segment));
	assert_false(matches("/p/42/leaks/", "/p/{pid}/leaks", segment));
	assert_false(matches("/p/42/leak", "/p/{pid}/leaks", segment));
	assert_false(matches("/p/42", "/p/{pid}/leaks", segment));
}

static void test_a_target_that_is_no_path_is_refused(void **state)
{
	struct request_target parts;
	struct request_error error;
	char long_target[REQUEST_TARGET_BYTES_MAX + 2];

	(void)state;
	assert_int_not_equal(split("", &parts, &error), 0);
	assert_int_not_equal(split("*", &parts, &error), 0);
	assert_int_not_equal(split("http://x/metrics", &parts, &error), 0);
	memset(long_target, '/', sizeof(long_target) - 1);
	long_target[sizeof(long_target) - 1] = '\0';
	assert_int_not_equal(split(long_target, &parts, &error), 0);
}

static void test_numbers_are_decimal_and_in_range(void **state)
{
	uint64_t number = 7;

	(void)state;
	assert_true(request_parse_number("18446744073709551615", 20, 0, UINT64_MAX, &number));
	assert_true(number == UINT64_MAX);
	assert_false(request_parse_number("18446744073709551616", 20, 0, UINT64_MAX, &number));
	assert_false(request_parse_number("99999999999999999999", 20, 0, UINT64_MAX, &number));
	assert_false(request_parse_number("", 0, 0, 9, &number));
	assert_false(request_parse_number("+1", 2, 0, 9, &number));
	assert_false(request_parse_number(" 1", 2, 0, 9, &number));
	assert_false(request_parse_number("0x1", 3, 0, 9, &number));
	assert_false(request_parse_number("0", 1, 1, 9, &number));
	assert_false(request_parse_number("10", 2, 1, 9, &number));
	assert_true(number == UINT64_MAX);
}

static int parse(const char *target, unsigned int allowed, struct request_arguments *arguments,
		 struct request_error *error)
{
	struct request_target parts;

	assert_int_equal(split(target, &parts, error), 0);
	return request_parse_arguments(&parts, allowed, arguments, error);
}

static void test_arguments_are_understood(void **state)
{
	struct request_arguments arguments;
	struct request_error error;

	(void)state;
	assert_int_equal(parse("/x", EVERY_ARGUMENT, &arguments, &error), 0);
	assert_int_equal(arguments.top, 0);
	assert_int_equal(parse("/x?", EVERY_ARGUMENT, &arguments, &error), 0);
	assert_int_equal(parse("/x?top=5&all=1&sort=allocated&interval=%31&lease=1.5&"
			       "lease_id=18446744073709551615",
			       EVERY_ARGUMENT, &arguments, &error),
			 0);
	assert_int_equal(arguments.top, 5);
	assert_true(arguments.is_all);
	assert_int_equal(arguments.sort, ANSWER_SORT_ALLOCATED);
	assert_true(arguments.interval_bytes == 1);
	assert_true(arguments.lease_seconds == 1.5);
	assert_true(arguments.lease_id == UINT64_MAX);
}

static void test_a_wrong_argument_is_named_with_what_would_be_right(void **state)
{
	static const struct {
		const char *target, *word, *other_word;
	} wrong[] = {
		{"/x?top=", "top", "whole number"},
		{"/x?top", "top", "whole number"},
		{"/x?top=-1", "top=-1", "whole number"},
		{"/x?top=1000001", "top", "1000000"},
		{"/x?all=yes", "all=yes", "0 or 1"},
		{"/x?sort=size", "sort=size", "outstanding, allocated or rss"},
		{"/x?interval=0", "interval=0", "exact"},
		{"/x?interval=64k", "interval=64k", "bytes"},
		{"/x?lease=0", "lease=0", "seconds"},
		{"/x?lease=inf", "lease=inf", "seconds"},
		{"/x?lease=0x10", "lease", "seconds"},
		{"/x?lease=1.2.3", "lease", "seconds"},
		{"/x?lease=86401", "lease", "86400"},
		{"/x?lease_id=x", "lease_id", "answered"},
		{"/x?top=1&top=2", "top", "twice"},
		{"/x?top=%3", "top", "whole number"},
		{"/x?top=%zz", "top", "whole number"},
		{"/x?top=1%00", "top", "whole number"},
		{"/x?top=0000000000000000000000000000000000000001", "top", "whole number"},
		{"/x?tops=1", "'tops'", "top, all, sort, interval, lease, lease_id"},
		{"/x?&top=1", "''", "takes"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct request_arguments arguments;
		struct request_error error;

		if (parse(wrong[i].target, EVERY_ARGUMENT, &arguments, &error) == 0)
			fail_msg("%s was taken", wrong[i].target);
		if (!strstr(error.message, wrong[i].word) ||
		    !strstr(error.message, wrong[i].other_word))
			fail_msg("%s: %s", wrong[i].target, error.message);
	}
}

static void test_text_and_names_are_taken_as_they_are(void **state)
{
	static const char *const wrong[] = {"/x?sort=size", "/x?group_by=class",
					    "/x?file=", "/x?function=a%00"};
	char target[REQUEST_TARGET_BYTES_MAX + 1];
	struct request_arguments arguments;
	struct request_error error;

	(void)state;
	assert_int_equal(parse("/x?file=%2Fa%20b%26*&sort=peak&group_by=module&function=f",
			       LINES_ARGUMENTS, &arguments, &error),
			 0);
	assert_string_equal(arguments.file, "/a b&*");
	assert_string_equal(arguments.function, "f");
	assert_int_equal(arguments.line_sort, LINE_SORT_PEAK);
	assert_int_equal(arguments.group_by, LINE_BY_MODULE);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_not_equal(parse(wrong[i], LINES_ARGUMENTS, &arguments, &error), 0);
	snprintf(target, sizeof(target), "/x?file=%0*d", REQUEST_TEXT_BYTES_MAX - 1, 0);
	assert_int_equal(parse(target, LINES_ARGUMENTS, &arguments, &error), 0);
	snprintf(target, sizeof(target), "/x?file=%0*d", REQUEST_TEXT_BYTES_MAX, 0);
	assert_int_not_equal(parse(target, LINES_ARGUMENTS, &arguments, &error), 0);
	assert_non_null(strstr(error.message, "511 bytes"));
}

static void test_an_argument_of_another_path_is_unknown(void **state)
{
	struct request_arguments arguments;
	struct request_error error;

	(void)state;
	assert_int_not_equal(parse("/x?all=1", REQUEST_ARGUMENT_TOP, &arguments, &error), 0);
	assert_string_equal(error.message, "unknown argument 'all': this path takes top");
	assert_int_not_equal(parse("/x?all=1", 0, &arguments, &error), 0);
	assert_string_equal(error.message, "unknown argument 'all': this path takes none");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_path_matches_its_pattern_alone),
		cmocka_unit_test(test_a_target_that_is_no_path_is_refused),
		cmocka_unit_test(test_numbers_are_decimal_and_in_range),
		cmocka_unit_test(test_arguments_are_understood),
		cmocka_unit_test(test_a_wrong_argument_is_named_with_what_would_be_right),
		cmocka_unit_test(test_text_and_names_are_taken_as_they_are),
		cmocka_unit_test(test_an_argument_of_another_path_is_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
