/* SPDX-License-Identifier: Apache-2.0 */
/* The arithmetic of sampling that the probes do in the kernel, against libm. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "sample.h"

static void test_log2_is_exact_to_its_last_places(void **state)
{
	const uint64_t values[] = {1,     2,     3,          5,          1000,
				   65535, 65536, 0x7fffffff, 0xffffffff, 1ULL << 32};

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		double got = (double)log2_q28(values[i]) / (1 << 28);

		assert_true(fabs(got - log2((double)values[i])) <= 1.0 / (1 << 26));
	}
}

static void test_weight_is_size_over_probability(void **state)
{
	const uint64_t intervals[] = {512, 4096, 65536, 1 << 20, 1 << 30};

	(void)state;
	for (size_t i = 0; i < sizeof(intervals) / sizeof(intervals[0]); i++) {
		for (uint64_t size = 1; size < intervals[i]; size += 1 + size / 3) {
			double probability = -expm1(-(double)size / (double)intervals[i]);
			double wanted = (double)size / probability;
			double got = (double)sample_weight_bytes(size, intervals[i]);

			/* Weights are whole bytes. */
			assert_true(fabs(got - wanted) <= wanted * 1e-6 + 1);
			assert_true(got >= (double)size);
		}
	}
}

static void test_distances_average_to_the_interval(void **state)
{
	const uint64_t interval = 65536;
	double sum = 0, squares = 0;
	const int draws = 1 << 20;

	(void)state;
	/* Every 4096th of all 2^32 random numbers: an integral, not a lottery. */
	for (int i = 0; i < draws; i++) {
		double distance =
			(double)sample_distance_bytes((uint32_t)i * 4096U + 2048, interval);

		sum += distance;
		squares += distance * distance;
	}
	assert_true(fabs(sum / draws / (double)interval - 1) < 1e-4);
	/* Of an exponential distribution the variance is the mean's square. */
	assert_true(fabs(squares / draws / ((double)interval * (double)interval) - 2) < 1e-3);
}

static void test_distance_of_extreme_draws_stays_in_range(void **state)
{
	(void)state;
	assert_int_equal(sample_distance_bytes(UINT32_MAX, 1 << 30), 1);
	assert_in_range(sample_distance_bytes(0, 1 << 30), 22LL << 30, 23LL << 30);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_log2_is_exact_to_its_last_places),
		cmocka_unit_test(test_weight_is_size_over_probability),
		cmocka_unit_test(test_distances_average_to_the_interval),
		cmocka_unit_test(test_distance_of_extreme_draws_stays_in_range),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
