/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "view/wildcard.h"

static void test_stars_stand_for_any_text(void **state)
{
	(void)state;
	assert_true(wildcard_matches("*", ""));
	assert_true(wildcard_matches("a*c", "abbc"));
	assert_true(wildcard_matches("a*c", "ac"));
	assert_true(wildcard_matches("*/site-packages/*", "/usr/lib/site-packages/numpy/core.py"));
	assert_true(wildcard_matches("a*b*c", "axbxbxc"));
	assert_false(wildcard_matches("a*c", "abcd"));
	assert_false(wildcard_matches("a?c", "ac"));
	assert_true(wildcard_matches("a?c", "abc"));
	assert_false(wildcard_matches("", "a"));
	assert_true(wildcard_matches("", ""));
}

static void test_a_bare_name_is_that_of_a_file_anywhere(void **state)
{
	(void)state;
	assert_true(wildcard_matches_path("train.py", "/srv/train.py"));
	assert_true(wildcard_matches_path("train.py", "train.py"));
	assert_true(wildcard_matches_path("t*.py", "/srv/train.py"));
	assert_false(wildcard_matches_path("rain.py", "/srv/train.py"));
	assert_false(wildcard_matches_path("/train.py", "/srv/train.py"));
	assert_true(wildcard_matches_path("<string>", "<string>"));
}

/* fnmatch() would be busy for longer than the universe is old. */
static void test_many_stars_are_no_burden(void **state)
{
	char pattern[201], text[10001];

	(void)state;
	for (size_t i = 0; i < sizeof(pattern) - 1; i++)
		pattern[i] = i % 2 ? 'a' : '*';
	pattern[sizeof(pattern) - 2] = 'b';
	pattern[sizeof(pattern) - 1] = '\0';
	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_false(wildcard_matches(pattern, text));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stars_stand_for_any_text),
		cmocka_unit_test(test_a_bare_name_is_that_of_a_file_anywhere),
		cmocka_unit_test(test_many_stars_are_no_burden),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
