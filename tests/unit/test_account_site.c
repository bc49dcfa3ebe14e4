/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "account/site.h"

static struct site *site_new(void)
{
	struct site *site = calloc(1, sizeof(*site));

	assert_non_null(site);
	return site;
}

static void test_blocks_and_mappings_add_up(void **state)
{
	struct site *site = site_new();
	struct site_numbers numbers;

	(void)state;
	site->blocks.allocated_bytes = 1000;
	site->blocks.freed_bytes = 400;
	site->blocks.allocated_objects = 10 * RECORD_OBJECT_UNIT;
	site->blocks.freed_objects = 4 * RECORD_OBJECT_UNIT;
	site_change_mappings(site, 1, 8192, 1);
	site_change_mappings(site, 1, -4096, 0);
	site_read_numbers(site, &numbers);
	assert_int_equal(numbers.outstanding_bytes, 600 + 4096);
	assert_int_equal(numbers.allocated_bytes, 1000 + 8192);
	assert_int_equal(numbers.freed_bytes, 400 + 4096);
	assert_true(numbers.outstanding_objects == 7);
	assert_false(site_is_mapping(site));
	site_free(site);
}

static void test_site_of_mappings_alone_is_a_mapping(void **state)
{
	struct site *site = site_new();

	(void)state;
	site_change_mappings(site, 3, 4096, 1);
	assert_true(site_is_mapping(site));
	site_change_mappings(site, 3, -4096, -1);
	assert_true(site_is_mapping(site));
	site_free(site);
}

static void test_arenas_are_mappings_like_them_that_the_interpreter_asked_for(void **state)
{
	struct stack stack = {.is_called_by_interpreter = true};
	struct site *site = site_new();

	(void)state;
	site_change_mappings(site, 3, 1 << 20, 1);
	assert_false(site_is_python_arena(site));
	site->has_arenas = true;
	assert_false(site_is_python_arena(site));
	site->stack = &stack;
	assert_true(site_is_python_arena(site));
	site->has_other_mappings = true;
	assert_false(site_is_python_arena(site));
	site->has_other_mappings = false;
	site->blocks.allocated_objects = RECORD_OBJECT_UNIT;
	assert_false(site_is_python_arena(site));
	site->stack = NULL;
	site_free(site);
}

static void test_generations_are_kept_apart(void **state)
{
	struct site *site = site_new();

	(void)state;
	site_change_mappings(site, 5, 4096, 1);
	site_change_mappings(site, 6, 8192, 1);
	site_change_mappings(site, 5, -4096, -1);
	assert_int_equal(site_generation_bytes(site, 5), 0);
	assert_int_equal(site_generation_bytes(site, 6), 8192);
	assert_int_equal(site_generation_bytes(site, 7), 0);
	site_free(site);
}

static void test_what_a_generation_leaves_becomes_older(void **state)
{
	const uint32_t late = 5 + RECORD_GENERATIONS;
	struct site *site = site_new();

	(void)state;
	site_change_mappings(site, 5, 4096, 1);
	site_change_mappings(site, late, 8192, 1);
	assert_int_equal(site_generation_bytes(site, late), 8192);
	assert_int_equal(site->mappings->older_bytes, 4096);
	/* A late death of the old generation is taken from what is older. */
	site_change_mappings(site, 5, -4096, -1);
	assert_int_equal(site->mappings->older_bytes, 0);
	assert_int_equal(site_generation_bytes(site, late), 8192);
	site_free(site);
}

static void test_variance_torn_by_concurrent_updates_is_not_negative(void **state)
{
	struct site *site = site_new();
	struct site_numbers numbers;

	(void)state;
	site->blocks.outstanding_variance = (uint64_t)-5;
	site_read_numbers(site, &numbers);
	assert_true(numbers.outstanding_variance == 0);
	site_free(site);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_blocks_and_mappings_add_up),
		cmocka_unit_test(test_site_of_mappings_alone_is_a_mapping),
		cmocka_unit_test(test_arenas_are_mappings_like_them_that_the_interpreter_asked_for),
		cmocka_unit_test(test_generations_are_kept_apart),
		cmocka_unit_test(test_what_a_generation_leaves_becomes_older),
		cmocka_unit_test(test_variance_torn_by_concurrent_updates_is_not_negative),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
