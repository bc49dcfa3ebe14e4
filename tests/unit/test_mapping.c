/* SPDX-License-Identifier: Apache-2.0 */
#include "mapping_model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <time.h>

#define PAGE         UINT64_C(4096)
#define BASE         UINT64_C(0x7f0000000000)
#define PAGES(count) ((uint64_t)(count)*PAGE)

struct fixture {
	struct mapping_table *table;
	struct model model; /* only its sums */
};

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	fixture->table = mapping_table_new(64, model_on_change, &fixture->model);
	*state = fixture;
	return fixture->table != NULL ? 0 : -1;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	mapping_table_free(fixture->table);
	free(fixture);
	return 0;
}

static void assert_site(const struct fixture *fixture, uint32_t site, uint32_t generation,
			uint64_t pages, int objects)
{
	assert_int_equal(fixture->model.reported.bytes[site][generation], PAGES(pages));
	assert_int_equal(fixture->model.reported.objects[site][generation], objects);
}

static void test_mapping_is_outstanding_until_it_is_unmapped(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(mapping_table_map(f->table, BASE, 5 * PAGE - 100, 1, 0), 0);
	assert_site(f, 1, 0, 5, 1);
	assert_int_equal(mapping_table_count(f->table), 1);
	assert_int_equal(mapping_table_bytes(f->table), PAGES(5));
	assert_int_equal(mapping_table_unmap(f->table, BASE, PAGES(5)), 0);
	assert_site(f, 1, 0, 0, 0);
	assert_int_equal(mapping_table_count(f->table), 0);
}

static void test_mapping_with_a_hole_is_one_object_until_its_last_piece_goes(void **state)
{
	struct fixture *f = *state;

	mapping_table_map(f->table, BASE, PAGES(10), 1, 2);
	assert_int_equal(mapping_table_unmap(f->table, BASE + PAGES(4), PAGES(2)), 0);
	assert_site(f, 1, 2, 8, 1);
	assert_int_equal(mapping_table_count(f->table), 2);
	mapping_table_unmap(f->table, BASE, PAGES(4));
	assert_site(f, 1, 2, 4, 1);
	mapping_table_unmap(f->table, BASE, PAGES(10));
	assert_site(f, 1, 2, 0, 0);
}

static void test_fixed_map_replaces_what_it_covers(void **state)
{
	struct fixture *f = *state;

	mapping_table_map(f->table, BASE, PAGES(4), 1, 0);
	mapping_table_map(f->table, BASE + PAGES(4), PAGES(4), 2, 0);
	assert_int_equal(mapping_table_map(f->table, BASE + PAGES(2), PAGES(4), 3, 1), 0);
	assert_site(f, 1, 0, 2, 1);
	assert_site(f, 2, 0, 2, 1);
	assert_site(f, 3, 1, 4, 1);
	mapping_table_map(f->table, BASE, PAGES(8), 0, 1);
	assert_site(f, 1, 0, 0, 0);
	assert_site(f, 2, 0, 0, 0);
	assert_site(f, 3, 1, 0, 0);
	assert_site(f, 0, 1, 8, 1);
}

static void test_unmap_of_unknown_addresses_changes_nothing(void **state)
{
	struct fixture *f = *state;

	mapping_table_map(f->table, BASE, PAGES(2), 1, 0);
	assert_int_equal(mapping_table_unmap(f->table, BASE + PAGES(2), PAGES(100)), 0);
	assert_int_equal(mapping_table_unmap(f->table, PAGE, PAGES(1)), 0);
	assert_site(f, 1, 0, 2, 1);
}

static void test_mremap_moves_a_mapping_with_its_birth(void **state)
{
	struct fixture *f = *state;

	mapping_table_map(f->table, BASE, PAGES(4), 1, 0);
	assert_int_equal(mapping_table_remap(f->table, BASE, PAGES(4), BASE + PAGES(100), PAGES(4),
					     false, 2, 3),
			 0);
	assert_site(f, 1, 0, 4, 1);
	mapping_table_unmap(f->table, BASE, PAGES(4));
	assert_site(f, 1, 0, 4, 1);
	mapping_table_unmap(f->table, BASE + PAGES(100), PAGES(4));
	assert_site(f, 1, 0, 0, 0);
}

static void test_mremap_grows_as_the_same_object_with_younger_pages(void **state)
{
	struct fixture *f = *state;

	mapping_table_map(f->table, BASE, PAGES(4), 1, 0);
	for (uint64_t pages = 4; pages < 64; pages++)
		assert_int_equal(mapping_table_remap(f->table, BASE, PAGES(pages), BASE,
						     PAGES(pages + 1), false, 2, 1),
				 0);
	assert_site(f, 1, 0, 4, 1);
	assert_site(f, 1, 1, 60, 0);
	assert_int_equal(mapping_table_count(f->table), 2);
	/* The old part first: the object goes with the last page, from where it came. */
	mapping_table_unmap(f->table, BASE, PAGES(4));
	assert_site(f, 1, 0, 0, 1);
	mapping_table_unmap(f->table, BASE, PAGES(100));
	assert_site(f, 1, 0, 0, 0);
	assert_site(f, 1, 1, 0, 0);
}

static void test_mremap_shrinks(void **state)
{
	struct fixture *f = *state;

	mapping_table_map(f->table, BASE, PAGES(8), 1, 0);
	mapping_table_remap(f->table, BASE, PAGES(8), BASE, PAGES(3), false, 2, 1);
	assert_site(f, 1, 0, 3, 1);
	mapping_table_remap(f->table, BASE, PAGES(3), BASE + PAGES(50), PAGES(1), false, 2, 1);
	assert_site(f, 1, 0, 1, 1);
}

static void test_mremap_of_an_unknown_mapping_adds_nothing(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(mapping_table_remap(f->table, BASE, PAGES(2), BASE, PAGES(9), false, 1, 0),
			 0);
	assert_int_equal(mapping_table_count(f->table), 0);
	/* But it takes the place of what it was moved onto. */
	mapping_table_map(f->table, BASE + PAGES(20), PAGES(2), 1, 0);
	mapping_table_remap(f->table, BASE, PAGES(9), BASE + PAGES(20), PAGES(9), true, 2, 0);
	assert_int_equal(mapping_table_count(f->table), 0);
}

static void test_mremap_dontunmap_leaves_a_new_mapping_behind(void **state)
{
	struct fixture *f = *state;

	mapping_table_map(f->table, BASE, PAGES(4), 1, 0);
	assert_int_equal(mapping_table_remap(f->table, BASE, PAGES(4), BASE + PAGES(10), PAGES(4),
					     true, 2, 1),
			 0);
	assert_site(f, 1, 0, 4, 1);
	assert_site(f, 2, 1, 4, 1);
	mapping_table_unmap(f->table, BASE + PAGES(10), PAGES(4));
	assert_site(f, 1, 0, 0, 0);
	assert_site(f, 2, 1, 4, 1);
}

static void test_mremap_of_length_0_maps_shared_memory_twice(void **state)
{
	struct fixture *f = *state;

	mapping_table_map(f->table, BASE, PAGES(4), 1, 0);
	assert_int_equal(
		mapping_table_remap(f->table, BASE, 0, BASE + PAGES(10), PAGES(4), false, 2, 1), 0);
	assert_site(f, 1, 0, 4, 1);
	assert_site(f, 2, 1, 4, 1);
}

static void test_intersect_keeps_what_is_really_mapped(void **state)
{
	struct fixture *f = *state;
	const struct mapping_range real[] = {{PAGES(1), PAGES(2)},
					     {BASE + PAGES(1), BASE + PAGES(2)},
					     {BASE + PAGES(3), BASE + PAGES(20)}};

	mapping_table_map(f->table, BASE, PAGES(4), 1, 0);
	mapping_table_map(f->table, BASE + PAGES(4), PAGES(4), 2, 0);
	mapping_table_map(f->table, BASE + PAGES(30), PAGES(4), 3, 0);
	mapping_table_intersect(f->table, real, 3);
	assert_site(f, 1, 0, 2, 1);
	assert_site(f, 2, 0, 4, 1);
	assert_site(f, 3, 0, 0, 0);
	mapping_table_intersect(f->table, NULL, 0);
	assert_int_equal(mapping_table_count(f->table), 0);
	assert_int_equal(mapping_table_bytes(f->table), 0);
}

static void test_empty_wrapping_and_unaligned_ranges_are_refused(void **state)
{
	static const struct {
		uint64_t address, length;
	} bad[] = {{BASE, 0},         {BASE, UINT64_MAX},
		   {BASE, -BASE},     {BASE, -BASE - 100},
		   {BASE + 1, PAGE},  {UINT64_MAX - PAGE + 1, 1},
		   {BASE, -PAGE + 1}, {UINT64_MAX - PAGE + 1, PAGE}};
	struct fixture *f = *state;

	mapping_table_map(f->table, BASE, PAGE, 1, 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		uint64_t address = bad[i].address, length = bad[i].length;

		assert_int_equal(mapping_table_map(f->table, address, length, 1, 0), -EINVAL);
		assert_int_equal(mapping_table_unmap(f->table, address, length), -EINVAL);
		assert_int_equal(
			mapping_table_remap(f->table, BASE, PAGE, address, length, false, 1, 0),
			-EINVAL);
		if (length != 0)
			assert_int_equal(mapping_table_remap(f->table, address, length, BASE, PAGE,
							     false, 1, 0),
					 -EINVAL);
	}
	assert_int_equal(
		mapping_table_remap(f->table, BASE, PAGES(2), BASE + PAGE, PAGES(2), true, 1, 0),
		-EINVAL);
	assert_site(f, 1, 0, 1, 1);
}

static void test_ranges_at_the_top_of_the_address_space(void **state)
{
	struct fixture *f = *state;
	uint64_t top = UINT64_MAX - 4 * PAGE + 1;

	assert_int_equal(mapping_table_map(f->table, top, PAGES(3), 1, 0), 0);
	assert_int_equal(mapping_table_map(f->table, 0, PAGES(1), 2, 0), 0);
	assert_int_equal(
		mapping_table_remap(f->table, 0, PAGES(1), top + PAGE, PAGES(2), false, 3, 1), 0);
	assert_site(f, 1, 0, 1, 1);
	assert_site(f, 2, 0, 1, 1);
	assert_site(f, 2, 1, 1, 0);
	assert_int_equal(
		mapping_table_remap(f->table, top + PAGE, PAGES(2), 0, PAGES(2), false, 3, 1), 0);
	mapping_table_unmap(f->table, 0, PAGES(2));
	assert_site(f, 2, 0, 0, 0);
	assert_int_equal(mapping_table_bytes(f->table), PAGES(1));
}

static void test_full_table_refuses_and_never_overstates(void **state)
{
	struct fixture *f = *state;

	for (uint64_t i = 0; i < 64; i++)
		assert_int_equal(mapping_table_map(f->table, BASE + PAGES(10 * i), PAGES(6), 1, 0),
				 0);
	assert_int_equal(mapping_table_map(f->table, BASE + PAGES(6), PAGE, 2, 0), -ENOSPC);
	assert_site(f, 2, 0, 0, 0);
	/* An edge costs no range, a hole does. */
	assert_int_equal(mapping_table_unmap(f->table, BASE + PAGES(4), PAGES(3)), 0);
	assert_site(f, 1, 0, 64 * 6 - 2, 64);
	assert_int_equal(mapping_table_unmap(f->table, BASE + PAGES(1), PAGES(1)), -ENOSPC);
	assert_site(f, 1, 0, 64 * 6 - 5, 64);
	assert_int_equal(mapping_table_count(f->table), 64);
	/* Replacing needs no room. */
	assert_int_equal(mapping_table_map(f->table, BASE, PAGES(6), 2, 0), 0);
	assert_site(f, 2, 0, 6, 1);
}

static uint32_t random_next(uint64_t *seed)
{
	*seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(*seed >> 33);
}

static struct model_operation random_operation(uint64_t *seed)
{
	struct model_operation op = {0};
	uint32_t dice = random_next(seed) % 100;
	/* Short ranges more often: they leave more pieces. */
	unsigned int length_max = random_next(seed) % 4 == 0 ? MODEL_PAGES : 12;

	op.kind = dice < 45   ? MODEL_MAP
		  : dice < 70 ? MODEL_UNMAP
		  : dice < 90 ? MODEL_REMAP
		  : dice < 98 ? MODEL_KEEP
			      : MODEL_INTERSECT;
	op.at = random_next(seed);
	op.to = random_next(seed);
	op.pages = random_next(seed) % length_max;
	op.to_pages = random_next(seed) % length_max;
	op.site = random_next(seed);
	op.generation = random_next(seed);
	if (op.kind == MODEL_INTERSECT)
		op.pages = op.to_pages = 40;
	if (op.kind == MODEL_REMAP && random_next(seed) % 2 == 0)
		op.to = op.at;
	model_normalize(&op);
	if (op.kind == MODEL_REMAP && random_next(seed) % 16 == 0)
		op.pages = 0;
	return op;
}

static void run_random_operations(uint64_t base, size_t ranges_max, uint64_t seed, int count)
{
	struct model *model = calloc(1, sizeof(*model));
	struct mapping_table *table = mapping_table_new(ranges_max, model_on_change, model);
	bool is_partial = false;

	model->base = base;
	for (int i = 0; i < count; i++) {
		struct model_operation op = random_operation(&seed);
		int err = model_run(model, table, &op);

		assert_true(err == 0 || err == -ENOSPC);
		/* intersect has no way to say so. */
		is_partial = is_partial || err != 0 || ranges_max < MODEL_PAGES;
		model_check(model, table, is_partial);
		assert_true(mapping_table_count(table) <= ranges_max);
	}
	mapping_table_free(table);
	free(model);
}

static void test_random_operations_agree_with_a_model_of_pages(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		run_random_operations(BASE, 1000, seed, 2000);
		run_random_operations(0, 1000, seed, 500);
		run_random_operations(UINT64_MAX - (MODEL_PAGES + 1) * PAGE + 1, 1000, seed, 500);
	}
}

static void test_random_operations_on_a_full_table_never_overstate(void **state)
{
	(void)state;
	for (size_t ranges_max = 0; ranges_max <= 12; ranges_max++)
		run_random_operations(BASE, ranges_max, 7 + ranges_max, 3000);
}

static double seconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void count_bytes(void *context, uint32_t site, uint32_t generation, int64_t bytes,
			int objects)
{
	(void)site;
	(void)generation;
	(void)objects;
	*(int64_t *)context += bytes;
}

/* Every other page of one range unmapped, from the end least kind to a sorted array. */
static double punch_holes(uint64_t count)
{
	int64_t bytes = 0;
	struct mapping_table *table = mapping_table_new(count, count_bytes, &bytes);
	double start = seconds_now();

	assert_int_equal(mapping_table_map(table, BASE, PAGES(2 * count), 1, 0), 0);
	for (uint64_t i = count - 1; i > 0; i--)
		assert_int_equal(mapping_table_unmap(table, BASE + PAGES(2 * i - 1), PAGE), 0);
	assert_int_equal(mapping_table_count(table), count);
	assert_int_equal(bytes, PAGES(count + 1));
	mapping_table_unmap(table, BASE, PAGES(2 * count));
	assert_int_equal(bytes, 0);
	mapping_table_free(table);
	return seconds_now() - start;
}

static void test_a_million_ranges_are_not_quadratic(void **state)
{
	double small = punch_holes(62500);
	double large = punch_holes(1000000);

	(void)state;
	/* 16 times as many: quadratic would be 256 times as long, n log n is some 20. */
	assert_true(large < 80 * small);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(test_mapping_is_outstanding_until_it_is_unmapped),
		TEST(test_mapping_with_a_hole_is_one_object_until_its_last_piece_goes),
		TEST(test_fixed_map_replaces_what_it_covers),
		TEST(test_unmap_of_unknown_addresses_changes_nothing),
		TEST(test_mremap_moves_a_mapping_with_its_birth),
		TEST(test_mremap_grows_as_the_same_object_with_younger_pages),
		TEST(test_mremap_shrinks),
		TEST(test_mremap_of_an_unknown_mapping_adds_nothing),
		TEST(test_mremap_dontunmap_leaves_a_new_mapping_behind),
		TEST(test_mremap_of_length_0_maps_shared_memory_twice),
		TEST(test_intersect_keeps_what_is_really_mapped),
		TEST(test_empty_wrapping_and_unaligned_ranges_are_refused),
		TEST(test_ranges_at_the_top_of_the_address_space),
		TEST(test_full_table_refuses_and_never_overstates),
		cmocka_unit_test(test_random_operations_agree_with_a_model_of_pages),
		cmocka_unit_test(test_random_operations_on_a_full_table_never_overstate),
		cmocka_unit_test(test_a_million_ranges_are_not_quadratic),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
