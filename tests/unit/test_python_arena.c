/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/mman.h>

#include "account/python_arena.h"

static struct record_event_mapping mapping_of(uint64_t length_bytes)
{
	return (struct record_event_mapping){.operation = RECORD_OPERATION_MAP,
					     .length_bytes = length_bytes,
					     .protection = PROT_READ | PROT_WRITE,
					     .flags = MAP_PRIVATE | MAP_ANONYMOUS,
					     .fd = -1};
}

static void test_the_version_says_how_large_arenas_are(void **state)
{
	struct record_event_mapping small = mapping_of(256 << 10), large = mapping_of(1 << 20);

	(void)state;
	assert_true(python_arena_is_like(0x308, &small));
	assert_true(python_arena_is_like(0x309, &small));
	assert_false(python_arena_is_like(0x309, &large));
	assert_true(python_arena_is_like(0x30a, &large));
	assert_true(python_arena_is_like(0x30e, &large));
	assert_false(python_arena_is_like(0x30e, &small));
}

static void test_other_mappings_of_that_size_are_none(void **state)
{
	struct record_event_mapping shared = mapping_of(1 << 20), of_file = shared,
				    constant = shared, moved = shared, larger = shared;

	(void)state;
	shared.flags = MAP_SHARED | MAP_ANONYMOUS;
	of_file.fd = 3;
	constant.protection = PROT_READ;
	moved.operation = RECORD_OPERATION_REMAP;
	larger.length_bytes += 4096;
	assert_false(python_arena_is_like(0x30b, &shared));
	assert_false(python_arena_is_like(0x30b, &of_file));
	assert_false(python_arena_is_like(0x30b, &constant));
	assert_false(python_arena_is_like(0x30b, &moved));
	assert_false(python_arena_is_like(0x30b, &larger));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_version_says_how_large_arenas_are),
		cmocka_unit_test(test_other_mappings_of_that_size_are_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
