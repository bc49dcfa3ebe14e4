/* SPDX-License-Identifier: Apache-2.0 */
#include "site_simulator.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>

#define INTERVAL (64 * KIB)

static struct verdict_conclusion judge(const struct site_history *history, const struct view *view)
{
	struct verdict_conclusion conclusion;
	struct seen seen;

	see(history, view, &seen);
	verdict_judge(&seen.evidence, &conclusion);
	return conclusion;
}

static struct verdict_conclusion judge_exact(const struct site_history *history, double seconds)
{
	const struct view view = {.seconds = seconds, .jitter = 0.1};

	return judge(history, &view);
}

static struct verdict_conclusion judge_sampled(const struct site_history *history, double seconds)
{
	const struct view view = {.seconds = seconds, .jitter = 0.1, .interval_bytes = INTERVAL};

	return judge(history, &view);
}

#define assert_verdict(conclusion, expected)                                          \
	do {                                                                          \
		struct verdict_conclusion _conclusion = (conclusion);                 \
		if (_conclusion.verdict != (expected))                                \
			fail_msg("%s, not %s: %s", verdict_name(_conclusion.verdict), \
				 verdict_name(expected), _conclusion.reason);         \
	} while (0)

#define assert_no_verdict(conclusion, unexpected)                                                  \
	do {                                                                                       \
		struct verdict_conclusion _conclusion = (conclusion);                              \
		if (_conclusion.verdict == (unexpected))                                           \
			fail_msg("%s: %s", verdict_name(_conclusion.verdict), _conclusion.reason); \
	} while (0)

static void test_linear_leak_is_a_leak_with_its_numbers(void **state)
{
	struct site_history history;
	struct verdict_conclusion conclusion;

	(void)state;
	history_begin(&history, 1);
	add_leak(&history, 0, 30, 20 * MIB, MIB, 0);
	conclusion = judge_exact(&history, 30);
	assert_verdict(conclusion, VERDICT_LEAK);
	assert_true(fabs(conclusion.growth_bytes_per_second - 20 * MIB) < 0.2 * MIB);
	assert_true(conclusion.oldest_age_seconds > 27 && conclusion.oldest_age_seconds <= 30);
	assert_non_null(strstr(conclusion.reason, "grew by 20.0 MiB/s for 29 s"));
	assert_non_null(strstr(conclusion.reason, "nothing was freed"));
	history_end(&history);
}

static void test_leak_is_named_at_every_scale_of_time_and_size(void **state)
{
	static const double seconds[] = {6, 10, 30, 300, 7200, 172800, 1209600};
	static const double bytes[] = {64 * KIB, 10 * MIB, 20 * GIB};

	(void)state;
	for (size_t t = 0; t < sizeof(seconds) / sizeof(seconds[0]); t++) {
		for (size_t b = 0; b < sizeof(bytes) / sizeof(bytes[0]); b++) {
			struct site_history history;

			history_begin(&history, t * 10 + b);
			add_leak(&history, 0, seconds[t], bytes[b] / seconds[t], bytes[b] / 1000,
				 1);
			assert_verdict(judge_exact(&history, seconds[t]), VERDICT_LEAK);
			history_end(&history);
		}
	}
}

static void test_sampled_leak_is_always_a_leak_once_enough_samples_are_in(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 200; seed++) {
		struct site_history history;

		history_begin(&history, seed);
		add_leak(&history, 0, 40, MIB, 1000, 1);
		assert_verdict(judge_sampled(&history, 40), VERDICT_LEAK);
		history_end(&history);
	}
}

static void test_leak_seen_for_three_points_is_growing(void **state)
{
	struct site_history history;

	(void)state;
	history_begin(&history, 1);
	add_leak(&history, 0, 2, 20 * MIB, MIB, 0);
	assert_verdict(judge_exact(&history, 2), VERDICT_GROWING);
	assert_verdict(judge_exact(&history, 0.5), VERDICT_UNKNOWN);
	history_end(&history);
}

static void test_slow_leak_beneath_heavy_turnover_is_found(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 10; seed++) {
		struct site_history history;
		struct verdict_conclusion conclusion;

		history_begin(&history, seed);
		add_turnover(&history, 0, 60, 100 * MIB, 100 * KIB, 0.1);
		add_leak(&history, 0, 60, MIB, 100 * KIB, 1);
		conclusion = judge_exact(&history, 60);
		assert_verdict(conclusion, VERDICT_LEAK);
		assert_true(fabs(conclusion.growth_bytes_per_second - MIB) < 0.2 * MIB);
		assert_verdict(judge_sampled(&history, 60), VERDICT_LEAK);
		history_end(&history);
	}
}

static void test_leak_beneath_a_sawtooth_is_found(void **state)
{
	struct site_history history;

	(void)state;
	history_begin(&history, 1);
	add_sawtooth(&history, 120, 5, 0.3, 20 * MIB, 0.2, 40);
	add_leak(&history, 0, 120, MIB, 64 * KIB, 1);
	assert_verdict(judge_exact(&history, 120), VERDICT_LEAK);
	assert_verdict(judge_sampled(&history, 120), VERDICT_LEAK);
	history_end(&history);
}

static void test_leak_on_top_of_a_large_load_is_found(void **state)
{
	struct site_history history;

	(void)state;
	history_begin(&history, 1);
	add_leak(&history, 0.1, 0.9, GIB, MIB, 0);
	add_leak(&history, 1, 60, MIB, 64 * KIB, 1);
	assert_verdict(judge_exact(&history, 60), VERDICT_LEAK);
	history_end(&history);
}

static void test_leak_behind_a_load_of_its_own_size_is_found(void **state)
{
	(void)state;
	for (double load = 10 * MIB; load <= 1000 * MIB; load *= 2) {
		struct site_history history;

		history_begin(&history, 1);
		add_block(&history, 0.5, FOREVER, load);
		add_leak(&history, 0, 30, 4 * MIB, 64 * KIB, 1);
		assert_verdict(judge_exact(&history, 30), VERDICT_LEAK);
		assert_verdict(judge_sampled(&history, 30), VERDICT_LEAK);
		history_end(&history);
	}
}

static void test_leak_in_rare_bursts_is_a_leak_after_some_of_them(void **state)
{
	struct site_history history;

	(void)state;
	history_begin(&history, 1);
	for (double time = 7; time < 600; time += 47)
		add_leak(&history, time, time + 0.3, 100 * MIB, MIB, 0);
	assert_verdict(judge_exact(&history, 600), VERDICT_LEAK);
	assert_verdict(judge_exact(&history, 340), VERDICT_LEAK);
	assert_verdict(judge_exact(&history, 110), VERDICT_GROWING);
	assert_verdict(judge_exact(&history, 30), VERDICT_STEADY);
	history_end(&history);
}

static void test_load_that_rose_and_stopped_is_steady(void **state)
{
	static const double load_seconds[] = {0.2, 3, 10, 20};

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct site_history history;

		history_begin(&history, i);
		add_leak(&history, 0.1, 0.1 + load_seconds[i], 100 * MIB / load_seconds[i], MIB, 0);
		assert_verdict(judge_exact(&history, 30), VERDICT_STEADY);
		assert_verdict(judge_sampled(&history, 30), VERDICT_STEADY);
		assert_verdict(judge_exact(&history, 3600), VERDICT_STEADY);
		history_end(&history);
	}
}

static void test_load_in_a_few_steps_is_no_leak(void **state)
{
	(void)state;
	for (int steps = 1; steps <= 3; steps++) {
		struct site_history history;

		history_begin(&history, 1);
		for (int i = 0; i < steps; i++)
			add_block(&history, 2.5 + 9 * i, FOREVER, 50 * MIB);
		for (double seconds = 3; seconds <= 64; seconds++)
			assert_no_verdict(judge_exact(&history, seconds), VERDICT_LEAK);
		assert_verdict(judge_exact(&history, 64), VERDICT_STEADY);
		history_end(&history);
	}
}

static void test_sawtooth_of_any_period_is_never_a_leak(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 600; seed++) {
		struct site_history history;
		uint64_t random = seed * 7919;
		double seconds = 60;
		double period;
		double phase;

		history_begin(&history, seed);
		random_uniform(&random);
		/* From a tenth of a second to nine tenths of what is seen; one fall is always seen.
		 */
		period = 0.1 * pow(540, random_uniform(&random));
		phase = random_uniform(&random);
		if ((1 - phase) * period > seconds - 3)
			phase = 0.5;
		if (seed % 2 == 0)
			seconds = 600, period *= 10;
		add_sawtooth(&history, seconds, period, phase, 50 * MIB, seed % 3 ? 0.2 : 0, 20);
		assert_no_verdict(judge_exact(&history, seconds), VERDICT_LEAK);
		assert_no_verdict(judge_sampled(&history, seconds), VERDICT_LEAK);
		history_end(&history);
	}
}

static void test_sawtooth_is_never_a_leak_at_any_moment_after_its_first_fall(void **state)
{
	struct site_history history;

	(void)state;
	history_begin(&history, 1);
	add_sawtooth(&history, 64, 9, 0, 50 * MIB, 0, 30);
	for (double seconds = 11; seconds <= 64; seconds += 1)
		assert_no_verdict(judge_exact(&history, seconds), VERDICT_LEAK);
	history_end(&history);
}

static void test_cache_that_has_filled_up_is_a_cache(void **state)
{
	struct site_history history;

	(void)state;
	history_begin(&history, 1);
	add_fifo_cache(&history, 120, 10 * MIB, 64 * KIB, 100 * MIB);
	assert_verdict(judge_exact(&history, 60), VERDICT_CACHE);
	assert_verdict(judge_exact(&history, 120), VERDICT_CACHE);
	assert_verdict(judge_sampled(&history, 120), VERDICT_CACHE);
	for (double seconds = 15; seconds < 60; seconds++)
		assert_no_verdict(judge_exact(&history, seconds), VERDICT_LEAK);
	history_end(&history);
}

static void test_cache_that_fills_while_entries_die_is_growing_then_a_cache(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct site_history history;

		history_begin(&history, seed);
		add_turnover(&history, 0, 300, 2 * MIB, 64 * KIB, 20);
		assert_verdict(judge_exact(&history, 20), VERDICT_GROWING);
		assert_verdict(judge_exact(&history, 300), VERDICT_CACHE);
		history_end(&history);
	}
}

static void test_random_turnover_around_a_level_is_never_a_leak(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 500; seed++) {
		struct site_history history;
		double life = pow(10, (double)(seed % 5) - 1.5);

		history_begin(&history, seed);
		/* Full from the first moment. */
		for (int i = 0; i < 300; i++)
			add_block(&history, 0, life * random_exponential(&history.seed), 64 * KIB);
		add_turnover(&history, 0, 60, 300 * 64 * KIB / life, 64 * KIB, life);
		assert_no_verdict(judge_exact(&history, 60), VERDICT_LEAK);
		assert_no_verdict(judge_sampled(&history, 60), VERDICT_LEAK);
		history_end(&history);
	}
}

static void test_lru_cache_in_its_stride_is_a_cache_at_any_speed(void **state)
{
	static const double rates[] = {0.7, 5, 50};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct site_history history;

		history_begin(&history, i);
		add_block(&history, 0, FOREVER, 20 * MIB);
		add_fifo_cache(&history, 60, rates[i] * MIB, 64 * KIB, 10 * MIB);
		assert_verdict(judge_exact(&history, 60), VERDICT_CACHE);
		assert_no_verdict(judge_sampled(&history, 60), VERDICT_LEAK);
		history_end(&history);
	}
}

static void test_short_lived_blocks_are_steady(void **state)
{
	struct site_history history;

	(void)state;
	history_begin(&history, 1);
	add_turnover(&history, 0, 30, 100 * MIB, 64 * KIB, 0.002);
	assert_verdict(judge_exact(&history, 30), VERDICT_STEADY);
	assert_non_null(strstr(judge_exact(&history, 30).reason, "short-lived"));
	assert_verdict(judge_sampled(&history, 30), VERDICT_STEADY);
	history_end(&history);
}

static void test_backlog_that_is_worked_off_in_order_is_growing(void **state)
{
	struct site_history history;

	(void)state;
	history_begin(&history, 1);
	/* In at 10 MiB/s, out at 7: the block of second t leaves at 10/7 t. */
	for (double time = 0; time < 60; time += 0.01)
		add_block(&history, time, time * 3 / 7 + 0.05, 100 * KIB);
	assert_verdict(judge_exact(&history, 60), VERDICT_GROWING);
	history_end(&history);
}

static void test_growth_too_small_to_matter_is_steady(void **state)
{
	struct site_history history;

	(void)state;
	history_begin(&history, 1);
	add_leak(&history, 0, 30, 100, 10, 0);
	assert_verdict(judge_exact(&history, 30), VERDICT_STEADY);
	history_end(&history);
	history_begin(&history, 2);
	add_block(&history, 0, FOREVER, 10 * GIB);
	add_leak(&history, 0.5, 30, 100 * KIB, 10 * KIB, 0);
	assert_verdict(judge_exact(&history, 30), VERDICT_STEADY);
	history_end(&history);
}

static void test_few_samples_make_no_leak(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 500; seed++) {
		struct site_history history;

		history_begin(&history, seed);
		/* Some four samples, whatever the truth. */
		add_leak(&history, 0, 30, 8 * KIB, 100, 1);
		assert_no_verdict(judge_sampled(&history, 30), VERDICT_LEAK);
		history_end(&history);
	}
}

static void test_a_transient_at_the_start_does_not_hide_a_leak_for_ever(void **state)
{
	struct site_history history;

	(void)state;
	history_begin(&history, 1);
	add_block(&history, 0.5, 3, 50 * MIB);
	add_leak(&history, 1, 300, MIB, 64 * KIB, 0);
	assert_verdict(judge_exact(&history, 300), VERDICT_LEAK);
	history_end(&history);
}

static void test_leak_that_began_late_is_found(void **state)
{
	struct site_history history;

	(void)state;
	history_begin(&history, 1);
	add_block(&history, 0.5, FOREVER, 10 * MIB);
	add_leak(&history, 3000, 3600, MIB, 64 * KIB, 0);
	assert_verdict(judge_exact(&history, 3600), VERDICT_LEAK);
	assert_true(fabs(judge_exact(&history, 3600).growth_bytes_per_second - MIB) < 0.1 * MIB);
	history_end(&history);
}

static void test_memory_that_shrinks_is_steady_with_negative_growth(void **state)
{
	struct site_history history;

	(void)state;
	history_begin(&history, 1);
	for (int i = 0; i < 100; i++)
		add_block(&history, -1, 1 + i * 0.3, MIB);
	assert_verdict(judge_exact(&history, 30), VERDICT_STEADY);
	assert_true(judge_exact(&history, 30).growth_bytes_per_second < -2 * MIB);
	history_end(&history);
}

static void test_senseless_evidence_is_judged_without_harm(void **state)
{
	struct verdict_point points[300];
	struct verdict_generation generations[3] = {
		{5, 1, -7}, {NAN, NAN, 9}, {0, 1e300, INT64_MAX}};
	uint64_t seed = 5;

	(void)state;
	for (int round = 0; round < 2000; round++) {
		struct verdict_evidence evidence = {points,      (size_t)(round % 300),
						    generations, (size_t)(round % 4),
						    10,          round % 3 ? 0 : 1e12};
		struct verdict_conclusion conclusion;

		for (int i = 0; i < 300; i++) {
			double dice = random_uniform(&seed);

			points[i] = (struct verdict_point){
				.time_seconds = dice < 0.01 && round % 2 ? NAN : i + dice,
				.outstanding_bytes = dice < 0.5 ? INT64_MIN : INT64_MAX,
				.allocated_bytes = (uint64_t)(dice * 1e19),
				.freed_bytes = (uint64_t)((1 - dice) * 1e19)};
		}
		verdict_judge(&evidence, &conclusion);
		assert_true(strlen(conclusion.reason) < sizeof(conclusion.reason) - 1);
		assert_true(strlen(conclusion.reason) > 0);
	}
}

static void test_verdicts_have_the_names_of_the_contract(void **state)
{
	(void)state;
	assert_string_equal(verdict_name(VERDICT_LEAK), "leak");
	assert_string_equal(verdict_name(VERDICT_GROWING), "growing");
	assert_string_equal(verdict_name(VERDICT_UNKNOWN), "unknown");
	assert_string_equal(verdict_name(VERDICT_CACHE), "cache");
	assert_string_equal(verdict_name(VERDICT_STEADY), "steady");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_linear_leak_is_a_leak_with_its_numbers),
		cmocka_unit_test(test_leak_is_named_at_every_scale_of_time_and_size),
		cmocka_unit_test(test_sampled_leak_is_always_a_leak_once_enough_samples_are_in),
		cmocka_unit_test(test_leak_seen_for_three_points_is_growing),
		cmocka_unit_test(test_slow_leak_beneath_heavy_turnover_is_found),
		cmocka_unit_test(test_leak_beneath_a_sawtooth_is_found),
		cmocka_unit_test(test_leak_on_top_of_a_large_load_is_found),
		cmocka_unit_test(test_leak_behind_a_load_of_its_own_size_is_found),
		cmocka_unit_test(test_leak_in_rare_bursts_is_a_leak_after_some_of_them),
		cmocka_unit_test(test_load_that_rose_and_stopped_is_steady),
		cmocka_unit_test(test_load_in_a_few_steps_is_no_leak),
		cmocka_unit_test(test_sawtooth_of_any_period_is_never_a_leak),
		cmocka_unit_test(test_sawtooth_is_never_a_leak_at_any_moment_after_its_first_fall),
		cmocka_unit_test(test_cache_that_has_filled_up_is_a_cache),
		cmocka_unit_test(test_cache_that_fills_while_entries_die_is_growing_then_a_cache),
		cmocka_unit_test(test_random_turnover_around_a_level_is_never_a_leak),
		cmocka_unit_test(test_lru_cache_in_its_stride_is_a_cache_at_any_speed),
		cmocka_unit_test(test_short_lived_blocks_are_steady),
		cmocka_unit_test(test_backlog_that_is_worked_off_in_order_is_growing),
		cmocka_unit_test(test_growth_too_small_to_matter_is_steady),
		cmocka_unit_test(test_few_samples_make_no_leak),
		cmocka_unit_test(test_a_transient_at_the_start_does_not_hide_a_leak_for_ever),
		cmocka_unit_test(test_leak_that_began_late_is_found),
		cmocka_unit_test(test_memory_that_shrinks_is_steady_with_negative_growth),
		cmocka_unit_test(test_senseless_evidence_is_judged_without_harm),
		cmocka_unit_test(test_verdicts_have_the_names_of_the_contract),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
