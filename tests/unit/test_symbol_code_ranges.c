/* SPDX-License-Identifier: Apache-2.0 */
#include "symbol/code_ranges.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h wants the four above. */
#include <cmocka.h>

/* Merges one refresh: code is found at [start, end), or nothing; spans are pairs that end with 0.
 */
static void refresh(struct code_ranges *ranges, uint64_t start, uint64_t end, const uint64_t *spans)
{
	static uint64_t refreshes;
	struct mapped_spans mapped = {0};
	struct code_ranges found = {0};

	refreshes++;
	for (; *spans; spans += 2)
		assert_int_equal(mapped_spans_add(&mapped, spans[0], spans[1]), 0);
	if (start)
		assert_int_equal(code_ranges_add(&found,
						 &(struct code_range){
							 .start = start,
							 .end = end,
							 .file_offset = 0x100000,
							 .last_seen = refreshes,
						 }),
				 0);
	assert_int_equal(code_ranges_merge(ranges, &found, &mapped), 0);
	mapped_spans_clear(&mapped);
	code_ranges_clear(&found);
}

static void assert_offset(const struct code_ranges *ranges, uint64_t address, uint64_t offset)
{
	const struct code_range *range = code_ranges_find(ranges, address);

	if (!offset) {
		assert_null(range);
		return;
	}
	assert_non_null(range);
	assert_int_equal(range->file_offset + (address - range->start), offset);
}

static void test_gone_code_keeps_its_place(void **state)
{
	struct code_ranges ranges = {0};

	(void)state;
	refresh(&ranges, 0x2000, 0x6000, (uint64_t[]){0x1000, 0x6000, 0});
	refresh(&ranges, 0, 0, (uint64_t[]){0x1000, 0x2000, 0x6000, 0x7000, 0});
	assert_int_equal(ranges.count, 1);
	assert_offset(&ranges, 0x1fff, 0);
	assert_offset(&ranges, 0x2000, 0x100000);
	assert_offset(&ranges, 0x5fff, 0x103fff);
	assert_offset(&ranges, 0x6000, 0);
	code_ranges_clear(&ranges);
}

static void test_what_is_mapped_over_gone_code_cuts_it(void **state)
{
	struct code_ranges ranges = {0};

	(void)state;
	refresh(&ranges, 0x2000, 0x6000, (uint64_t[]){0x2000, 0x6000, 0});
	refresh(&ranges, 0, 0, (uint64_t[]){0x1000, 0x2800, 0x3000, 0x4000, 0x5000, 0x9000, 0});
	assert_int_equal(ranges.count, 2);
	assert_offset(&ranges, 0x27ff, 0);
	assert_offset(&ranges, 0x2800, 0x100800);
	assert_offset(&ranges, 0x2fff, 0x100fff);
	assert_offset(&ranges, 0x3000, 0);
	assert_offset(&ranges, 0x4000, 0x102000);
	assert_offset(&ranges, 0x5000, 0);
	code_ranges_clear(&ranges);
}

static void test_code_found_again_is_there_once(void **state)
{
	struct code_ranges ranges = {0};

	(void)state;
	for (int i = 0; i < 3; i++)
		refresh(&ranges, 0x2000, 0x6000, (uint64_t[]){0x2000, 0x6000, 0});
	assert_int_equal(ranges.count, 1);
	refresh(&ranges, 0x3000, 0x4000, (uint64_t[]){0x3000, 0x4000, 0});
	assert_int_equal(ranges.count, 3);
	assert_offset(&ranges, 0x2fff, 0x100fff);
	assert_offset(&ranges, 0x3000, 0x100000);
	assert_offset(&ranges, 0x4000, 0x102000);
	code_ranges_clear(&ranges);
}

static void test_endless_loading_and_unloading_is_bounded(void **state)
{
	struct code_ranges ranges = {0};

	(void)state;
	for (uint64_t i = 1; i <= 5000; i++)
		refresh(&ranges, i * 0x2000, i * 0x2000 + 0x1000,
			(uint64_t[]){i * 0x2000, i * 0x2000 + 0x1000, 0});
	assert_true(ranges.count <= 1025);
	assert_offset(&ranges, 0x2000, 0);
	assert_offset(&ranges, 4999 * 0x2000, 0x100000);
	assert_offset(&ranges, 5000 * 0x2000, 0x100000);
	code_ranges_clear(&ranges);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_gone_code_keeps_its_place),
		cmocka_unit_test(test_what_is_mapped_over_gone_code_cuts_it),
		cmocka_unit_test(test_code_found_again_is_there_once),
		cmocka_unit_test(test_endless_loading_and_unloading_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
