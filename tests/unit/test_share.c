/* SPDX-License-Identifier: Apache-2.0 */
/* How targets share a table, and what probe hits are reckoned to cost. */
#include "target/costs.h"
#include "target/share.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define CAPACITY 1048576

/* The limit of one of so many targets of one user, of which the others have so much. */
static uint64_t limit_of(uint64_t used_by_others, size_t targets)
{
	return share_limit(CAPACITY, &(struct share_use){.user_count = 1,
							 .by_own_others = used_by_others,
							 .own_count = targets});
}

static void test_a_single_target_has_nearly_the_whole_table(void **state)
{
	(void)state;
	assert_int_equal(limit_of(0, 1), CAPACITY / 32 * 31);
	assert_true(limit_of(0, 1) >= 1000000);
}

static void test_greedy_targets_always_leave_room_for_another(void **state)
{
	enum { TARGETS = 8 };
	uint64_t used[TARGETS] = {0}, total = 0;

	(void)state;
	/* Each takes all that it may, in turn, again and again. */
	for (int round = 0; round < 100; round++) {
		for (int i = 0; i < TARGETS; i++) {
			uint64_t limit = limit_of(total - used[i], TARGETS);

			if (limit > used[i]) {
				total += limit - used[i];
				used[i] = limit;
			}
		}
	}
	assert_true(total < CAPACITY);
	/* Each came to half of what was left, and so does a newcomer. */
	assert_true(limit_of(total, TARGETS + 1) >= CAPACITY >> (TARGETS + 1));
}

static void test_a_target_may_have_more_than_its_limit(void **state)
{
	(void)state;
	/* A second one has come: the first, which has nearly all, gets no more. */
	assert_true(limit_of(100, 2) < CAPACITY / 2);
	assert_int_equal(limit_of(CAPACITY, 2), 0);
	assert_int_equal(limit_of(CAPACITY / 32 * 31, 2), CAPACITY / 64);
}

static void test_many_targets_of_one_user_take_no_more_than_one(void **state)
{
	struct share_use greedy = {.user_count = 2, .own_count = 32};
	struct share_use other = {.user_count = 2, .own_count = 1};
	uint64_t used = 0;

	(void)state;
	for (size_t i = 0; i < greedy.own_count; i++) {
		greedy.by_own_others = used;
		used += share_limit(CAPACITY, &greedy);
	}
	assert_true(used <= CAPACITY / 2);
	other.by_other_users = used;
	assert_true(share_limit(CAPACITY, &other) >= CAPACITY / 4);
}

/* A leak of one block for each interval allocated, at a rate that doubles of the interval halve. */
static void test_a_sampled_target_never_fills_its_share(void **state)
{
	uint64_t limit = 1000000, next = 0, interval = 1;
	double used = 0;

	(void)state;
	for (int look = 0; look < 1000000; look++) {
		used += 20000.0 / (double)interval;
		if (share_is_getting_full(limit, (uint64_t)used, &next))
			interval *= 2;
	}
	assert_true(used < (double)limit);
	assert_true(interval > 1);
}

static void test_an_interval_is_not_raised_again_while_nothing_grows(void **state)
{
	uint64_t next = 0;

	(void)state;
	assert_false(share_is_getting_full(1000, 750, &next));
	assert_true(share_is_getting_full(1000, 800, &next));
	assert_false(share_is_getting_full(1000, 800, &next));
	assert_false(share_is_getting_full(1000, 849, &next));
	assert_true(share_is_getting_full(1000, 850, &next));
	/* Nor while it goes up and down, but when it begins anew. */
	assert_false(share_is_getting_full(1000, 600, &next));
	assert_false(share_is_getting_full(1000, 800, &next));
	assert_false(share_is_getting_full(1000, 10, &next));
	assert_true(share_is_getting_full(1000, 800, &next));
}

/* ---- What hits cost */

static const struct probe_costs costs = {
	.is_known = true,
	.allocation_exact_ns = 1100,
	.allocation_unsampled_ns = 600,
	.free_exact_ns = 700,
	.free_unknown_ns = 550,
	.single_step_ns = 4500,
	.rss_change_ns = 400,
};

static void assert_cost(struct record_target_hits hits, bool is_exact, double wanted_ns,
			double wanted_sampled_ns)
{
	double sampled_seconds;
	double seconds = probe_costs_seconds(&costs, &hits, is_exact, &sampled_seconds);

	assert_true(fabs(seconds * 1e9 - wanted_ns) < 1e-3);
	assert_true(fabs(sampled_seconds * 1e9 - wanted_sampled_ns) < 1e-3);
}

static void test_each_kind_of_hit_has_its_cost(void **state)
{
	const struct record_target_hits exact = {.allocations = 10, .frees = 10, .returns = 10};
	const struct record_target_hits unsampled = {.allocations = 10, .frees = 10};
	const struct record_target_hits sampled = {
		.allocations = 10, .frees = 10, .returns = 3, .samples = 2};
	const struct record_target_hits stepped = {.frees = 10, .single_stepped = 10};

	(void)state;
	assert_cost(exact, true, 18000, 0);
	assert_cost(unsampled, false, 11500, 0);
	/* 3 returns, of which 2 are samples; as many frees are found. */
	assert_cost(sampled, false, 11500 + 3 * 500 + 2 * 150, 2 * 500 + 2 * 150);
	assert_cost(stepped, false, 50500, 0);
}

/* Measured with a stack at every sixteenth change: that is the case in which it is what it says. */
static void test_changes_of_resident_memory_cost_by_their_stacks(void **state)
{
	const struct record_target_hits measured = {.rss_changes = 1600, .rss_samples = 100};
	const struct record_target_hits changes = {.rss_changes = 1600};
	const struct record_target_hits samples = {.rss_samples = 100};

	(void)state;
	assert_true(fabs(probe_costs_rss_seconds(&costs, &measured) * 1e9 - 640000) < 1e-3);
	assert_true(fabs(probe_costs_rss_seconds(&costs, &changes) * 1e9 - 160000) < 1e-3);
	assert_true(fabs(probe_costs_rss_seconds(&costs, &samples) * 1e9 - 480000) < 1e-3);
	assert_true(fabs(probe_costs_share(&costs, &measured, false, 0.064) - 0.01) < 1e-9);
}

static void test_a_share_is_of_time_and_unknown_without_costs(void **state)
{
	const struct record_target_hits hits = {.allocations = 1000000, .frees = 1000000};
	const struct probe_costs unknown = {0};

	(void)state;
	assert_true(fabs(probe_costs_share(&costs, &hits, false, 10) - 0.115) < 1e-9);
	assert_true(probe_costs_share(&costs, &hits, false, 0) < 0);
	assert_true(probe_costs_share(&unknown, &hits, false, 10) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_single_target_has_nearly_the_whole_table),
		cmocka_unit_test(test_greedy_targets_always_leave_room_for_another),
		cmocka_unit_test(test_a_target_may_have_more_than_its_limit),
		cmocka_unit_test(test_many_targets_of_one_user_take_no_more_than_one),
		cmocka_unit_test(test_a_sampled_target_never_fills_its_share),
		cmocka_unit_test(test_an_interval_is_not_raised_again_while_nothing_grows),
		cmocka_unit_test(test_each_kind_of_hit_has_its_cost),
		cmocka_unit_test(test_changes_of_resident_memory_cost_by_their_stacks),
		cmocka_unit_test(test_a_share_is_of_time_and_unknown_without_costs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
