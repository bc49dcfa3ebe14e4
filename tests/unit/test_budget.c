/* SPDX-License-Identifier: Apache-2.0 */
/* The budget of a target's probes, look by look. */
#include "target/budget.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define LOOK_SECONDS 0.05
#define BY_HAND      0.3
#define BY_POLICY    0.03

/* A process whose threads ran so many at a time, each paying such a share of its time. */
static struct budget_look look_of(double share, double threads)
{
	return (struct budget_look){.wall_seconds = LOOK_SECONDS,
				    .cpu_seconds = threads * LOOK_SECONDS,
				    .probe_seconds = share * fmax(threads, 1) * LOOK_SECONDS};
}

/* Looks until something other than going on is decided; its time, or a minute. */
static double seconds_until(struct budget *budget, double cost, double threads, double share,
			    enum budget_decision wanted)
{
	struct budget_look look = look_of(cost, threads);
	double seconds = 0;

	do
		seconds += LOOK_SECONDS;
	while (budget_account(budget, &look, share) != wanted && seconds < 60);
	return seconds;
}

static void test_a_load_below_the_budget_goes_on_for_ever(void **state)
{
	struct budget budget = {0};

	(void)state;
	assert_true(seconds_until(&budget, 0.29, 1, BY_HAND, BUDGET_END) >= 60);
	assert_false(budget_is_over(&budget, BY_HAND));
	assert_true(fabs(budget.recent_share - 0.29) < 1e-9);
}

static void test_a_burst_shorter_than_the_bucket_never_ends_a_watch(void **state)
{
	struct budget budget = {0};
	struct budget_look full = look_of(1, 1), idle = look_of(0, 0);

	(void)state;
	/* 0.25 s at full cost each 10 s: 2.5% on average. */
	for (int round = 0; round < 100; round++) {
		for (double t = 0; t < 0.25 - 1e-9; t += LOOK_SECONDS)
			assert_int_not_equal(budget_account(&budget, &full, BY_POLICY), BUDGET_END);
		for (double t = 0; t < 9.75 - 1e-9; t += LOOK_SECONDS)
			assert_int_equal(budget_account(&budget, &idle, BY_POLICY), BUDGET_GO_ON);
	}
}

static void test_a_steady_load_is_averaged_over_the_bucket(void **state)
{
	struct budget by_hand = {0}, by_policy = {0};
	double fast, slow;

	(void)state;
	fast = seconds_until(&by_hand, 1, 1, BY_HAND, BUDGET_END);
	assert_true(fast >= 0.3 / 0.7 - LOOK_SECONDS && fast <= 0.3 / 0.7 + LOOK_SECONDS);
	slow = seconds_until(&by_policy, 2 * BY_POLICY, 1, BY_POLICY, BUDGET_END);
	assert_true(fabs(slow - 10) <= 2 * LOOK_SECONDS);
}

static void test_the_first_decision_comes_before_a_tenth_of_a_second_is_lost(void **state)
{
	(void)state;
	/* Whatever the cost, and wherever between two looks it begins. */
	for (double cost = 0.35; cost <= 1; cost += 0.05) {
		for (double part = 0.05; part <= 1; part += 0.05) {
			struct budget_look look = look_of(cost, 1), first = look;
			struct budget budget = {0};
			double lost_seconds = cost * part * LOOK_SECONDS;

			first.probe_seconds = lost_seconds;
			if (budget_account(&budget, &first, BY_POLICY) != BUDGET_LOWER_COST) {
				do
					lost_seconds += cost * LOOK_SECONDS;
				while (budget_account(&budget, &look, BY_POLICY) == BUDGET_GO_ON);
			}
			assert_true(lost_seconds <= BUDGET_DECISION_SECONDS);
		}
	}
}

static void test_one_hot_thread_does_not_hide_among_sleeping_ones(void **state)
{
	struct budget budget = {0};

	(void)state;
	assert_true(seconds_until(&budget, 0.9, 1, BY_HAND, BUDGET_END) < 1);
}

static void test_a_thread_that_waits_for_a_cpu_is_slowed_down_all_the_same(void **state)
{
	/* It gets a fifth of a CPU, and its probes take nine tenths of that. */
	struct budget_look starved = {.wall_seconds = LOOK_SECONDS,
				      .cpu_seconds = 0.2 * LOOK_SECONDS,
				      .waited_seconds = 0.8 * LOOK_SECONDS,
				      .probe_seconds = 0.18 * LOOK_SECONDS};
	struct budget_look many = starved, asleep = starved;
	struct budget budget = {0};
	int looks = 0;

	(void)state;
	while (budget_account(&budget, &starved, BY_HAND) != BUDGET_END)
		looks++;
	assert_true(fabs(budget_over_share(&budget) - 0.9) < 1e-9);
	/* The bucket is filled by its own time alone. */
	assert_true(fabs(looks * LOOK_SECONDS * 0.2 * 0.6 - 0.3) < 0.01);

	/* Eight such threads are no worse, and one that sleeps instead of waiting is fine. */
	many.cpu_seconds *= 8;
	many.waited_seconds *= 8;
	many.probe_seconds *= 8;
	budget = (struct budget){0};
	budget_account(&budget, &many, BY_HAND);
	assert_true(fabs(budget.last_share - 0.9) < 1e-9);
	for (asleep.waited_seconds = 0; asleep.waited_seconds <= 0.6 * LOOK_SECONDS;
	     asleep.waited_seconds += 0.2 * LOOK_SECONDS) {
		budget = (struct budget){0};
		budget_account(&budget, &asleep, BY_HAND);
		assert_true(fabs(budget.last_share - 0.18) < 1e-9);
	}
}

static void test_many_threads_have_as_many_budgets(void **state)
{
	struct budget within = {0}, over = {0};

	(void)state;
	/* Together twice what one thread may cost. */
	assert_true(seconds_until(&within, 0.2, 8, BY_HAND, BUDGET_END) >= 60);
	assert_true(seconds_until(&over, 0.4, 8, BY_HAND, BUDGET_END) < 4);
}

static void test_probes_cost_no_more_than_the_process_ran(void **state)
{
	/* A thread that got a fifth of a CPU, by costs that were measured on a bad day. */
	struct budget_look look = {.wall_seconds = LOOK_SECONDS,
				   .cpu_seconds = 0.2 * LOOK_SECONDS,
				   .probe_seconds = 0.5 * LOOK_SECONDS};
	struct budget budget = {0};

	(void)state;
	for (int i = 0; i < 1000; i++)
		assert_int_equal(budget_account(&budget, &look, BY_HAND), BUDGET_GO_ON);
	assert_true(fabs(budget.recent_share - 0.2) < 1e-9);
}

static void test_without_limit_nothing_is_ever_over_budget(void **state)
{
	struct budget budget = {0};

	(void)state;
	assert_true(seconds_until(&budget, 1, 1, INFINITY, BUDGET_END) >= 60);
	assert_false(budget_is_over(&budget, INFINITY));
	assert_true(fabs(budget.recent_share - 1) < 1e-9);
}

static void test_the_cost_that_is_told_is_that_since_the_budget_was_exceeded(void **state)
{
	struct budget_look quiet = look_of(0.01, 1);
	struct budget budget = {0};

	(void)state;
	for (int i = 0; i < 1000; i++)
		budget_account(&budget, &quiet, BY_HAND);
	seconds_until(&budget, 0.84, 1, BY_HAND, BUDGET_END);
	assert_true(fabs(budget_over_share(&budget) - 0.84) < 1e-6);
	assert_true(budget_is_over(&budget, BY_HAND));
}

static void test_a_look_that_lasted_no_time_changes_nothing(void **state)
{
	struct budget_look look = {.probe_seconds = 1};
	struct budget budget = {0};

	(void)state;
	assert_int_equal(budget_account(&budget, &look, BY_HAND), BUDGET_GO_ON);
	assert_false(budget.was_looked_at);
}

/* ---- Raising the interval */

static struct budget_look sampled_look(double base_share, double sampled_share)
{
	return (struct budget_look){.wall_seconds = 1,
				    .cpu_seconds = 1,
				    .probe_seconds = base_share + sampled_share,
				    .sampled_seconds = sampled_share};
}

static void test_the_interval_is_raised_by_as_much_as_is_needed(void **state)
{
	struct budget_look look = sampled_look(0.01, 0.2);
	uint64_t raised = budget_raise_interval(65536, &look, BY_POLICY);

	(void)state;
	/* 0.2 has to become 0.03 * 0.9 - 0.01 = 0.017: a twelfth, so a sixteenth. */
	assert_int_equal(raised, 16 * 65536);
}

static void test_intervals_that_are_no_power_of_two_are_doubled_too(void **state)
{
	struct budget_look look = sampled_look(0, 0.05);

	(void)state;
	assert_int_equal(budget_raise_interval(100000, &look, BY_POLICY), 200000);
}

static void test_nothing_is_raised_where_that_cannot_help(void **state)
{
	struct budget_look entries = sampled_look(0.5, 0.01), cheap = sampled_look(0.01, 0.001);

	(void)state;
	/* Entries alone are over budget; or nothing is. */
	assert_int_equal(budget_raise_interval(65536, &entries, BY_HAND), 65536);
	assert_int_equal(budget_raise_interval(65536, &cheap, BY_HAND), 65536);
}

static void test_costs_that_were_measured_too_high_do_not_keep_an_interval_from_rising(void **state)
{
	/* By those costs entries alone are over budget, and more than it ran at all. */
	struct budget_look look = sampled_look(0.32, 0.18);

	(void)state;
	look.cpu_seconds = 0.25;
	/* In truth 0.16 and 0.09: the latter has to become 0.2 * 0.9 - 0.16 = 0.02. */
	assert_int_equal(budget_raise_interval(65536, &look, 0.2), 8 * 65536);
}

static void test_an_interval_ends_at_the_longest_there_is(void **state)
{
	struct budget_look look = sampled_look(0, 1e6);

	(void)state;
	look.cpu_seconds = 0; /* not known */
	assert_int_equal(budget_raise_interval(65536, &look, BY_POLICY), BUDGET_INTERVAL_BYTES_MAX);
	assert_int_equal(budget_raise_interval(100000, &look, BY_POLICY),
			 BUDGET_INTERVAL_BYTES_MAX);
}

static void test_threads_share_the_raising_as_they_share_the_cost(void **state)
{
	struct budget_look look = {
		.wall_seconds = 1, .cpu_seconds = 4, .probe_seconds = 0.4, .sampled_seconds = 0.4};

	(void)state;
	/* 10% of each thread: to be a quarter of it. */
	assert_int_equal(budget_raise_interval(65536, &look, BY_POLICY), 4 * 65536);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_load_below_the_budget_goes_on_for_ever),
		cmocka_unit_test(test_a_burst_shorter_than_the_bucket_never_ends_a_watch),
		cmocka_unit_test(test_a_steady_load_is_averaged_over_the_bucket),
		cmocka_unit_test(test_the_first_decision_comes_before_a_tenth_of_a_second_is_lost),
		cmocka_unit_test(test_one_hot_thread_does_not_hide_among_sleeping_ones),
		cmocka_unit_test(test_a_thread_that_waits_for_a_cpu_is_slowed_down_all_the_same),
		cmocka_unit_test(test_many_threads_have_as_many_budgets),
		cmocka_unit_test(test_probes_cost_no_more_than_the_process_ran),
		cmocka_unit_test(test_without_limit_nothing_is_ever_over_budget),
		cmocka_unit_test(test_the_cost_that_is_told_is_that_since_the_budget_was_exceeded),
		cmocka_unit_test(test_a_look_that_lasted_no_time_changes_nothing),
		cmocka_unit_test(test_the_interval_is_raised_by_as_much_as_is_needed),
		cmocka_unit_test(test_intervals_that_are_no_power_of_two_are_doubled_too),
		cmocka_unit_test(test_nothing_is_raised_where_that_cannot_help),
		cmocka_unit_test(
			test_costs_that_were_measured_too_high_do_not_keep_an_interval_from_rising),
		cmocka_unit_test(test_an_interval_ends_at_the_longest_there_is),
		cmocka_unit_test(test_threads_share_the_raising_as_they_share_the_cost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
