/* SPDX-License-Identifier: Apache-2.0 */
/* When changes of resident memory are sampled (bpf/rss_interval.h), and what that makes of them. */
#include "rss_interval.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define PAGE_BYTES 4096ULL
#define MIB        (1ULL << 20)
#define SITES      3
#define RUNS       200

static uint64_t random_state = 88172645463325252ULL;

/* xorshift64* (Marsaglia, Vigna). */
static uint32_t random_bits(void)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return (uint32_t)(random_state * 2685821657736338717ULL >> 32);
}

/* As rss_add() of bpf/rss.bpf.c. */
struct sampler {
	uint64_t bytes, distance_bytes, sampled_bytes, samples;
	uint64_t booked_bytes[SITES];
};

static void sampler_begin(struct sampler *sampler)
{
	*sampler = (struct sampler){
		.distance_bytes = rss_first_distance_bytes(random_bits(), RSS_INTERVAL_MIN_BYTES)};
}

static void sampler_add(struct sampler *sampler, unsigned site, uint64_t bytes)
{
	sampler->bytes += bytes;
	if (sampler->bytes < sampler->distance_bytes)
		return;
	sampler->booked_bytes[site] += sampler->bytes;
	sampler->sampled_bytes += sampler->bytes;
	sampler->bytes = 0;
	sampler->samples++;
	sampler->distance_bytes =
		rss_distance_bytes(random_bits(), rss_interval_bytes(sampler->sampled_bytes));
}

static void test_the_interval_grows_with_what_was_sampled(void **state)
{
	(void)state;
	assert_int_equal(rss_interval_bytes(0), 64 << 10);
	assert_int_equal(rss_interval_bytes(256 * MIB), 64 << 10);
	assert_int_equal(rss_interval_bytes(512 * MIB), 128 << 10);
	assert_int_equal(rss_interval_bytes(2048 * MIB), 512 << 10);
	assert_int_equal(rss_interval_bytes(UINT64_MAX), 512 << 10);
}

static void test_distances_lie_between_half_and_one_and_a_half(void **state)
{
	(void)state;
	assert_int_equal(rss_distance_bytes(0, 64 << 10), 32 << 10);
	assert_int_equal(rss_distance_bytes(1U << 31, 64 << 10), 64 << 10);
	assert_int_equal(rss_distance_bytes(UINT32_MAX, 64 << 10), (96 << 10) - 1);
	assert_int_equal(rss_first_distance_bytes(0, 64 << 10), 0);
	assert_int_equal(rss_first_distance_bytes(UINT32_MAX, 64 << 10), (64 << 10) - 1);
}

/* Runs of pages, site by site, again and again until total_bytes. */
static void add_runs(struct sampler *sampler, const unsigned pages[SITES], uint64_t total_bytes)
{
	for (uint64_t added = 0; added < total_bytes;)
		for (unsigned site = 0; site < SITES; site++)
			for (unsigned page = 0; page < pages[site]; page++, added += PAGE_BYTES)
				sampler_add(sampler, site, PAGE_BYTES);
}

/* Over many runs the mean is the truth, and each lies within the error that is stated. */
static void assert_unbiased(const unsigned pages[SITES], uint64_t total_bytes)
{
	double sums[SITES] = {0}, period = pages[0] + pages[1] + pages[2];

	for (int run = 0; run < RUNS; run++) {
		struct sampler sampler;

		sampler_begin(&sampler);
		add_runs(&sampler, pages, total_bytes);
		for (unsigned site = 0; site < SITES; site++)
			sums[site] += (double)sampler.booked_bytes[site];
	}
	for (unsigned site = 0; site < SITES; site++) {
		double share = pages[site] / period, truth = share * (double)total_bytes;
		double variance = 13.0 / 12.0 * (double)rss_interval_bytes(total_bytes) * truth *
					  (1 - share) +
				  1.5 * 1.5 * RSS_INTERVAL_MIN_BYTES * RSS_INTERVAL_MIN_BYTES;

		assert_true(fabs(sums[site] / RUNS - truth) <=
			    4 * sqrt(variance / RUNS) + (double)(PAGE_BYTES));
	}
}

static void test_no_pattern_of_runs_is_favoured(void **state)
{
	/* Periods of a page each, of just a distance, of several, and of none. */
	static const unsigned patterns[][SITES] = {{1, 1, 1},  {12, 3, 1},   {24, 6, 2},
						   {8, 16, 8}, {100, 20, 8}, {17, 13, 7}};

	(void)state;
	for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++)
		assert_unbiased(patterns[i], 64 * MIB);
}

static void test_long_runs_are_exact_but_for_their_ends(void **state)
{
	static const unsigned pages[SITES] = {30000, 8000, 2000};
	struct sampler sampler;

	(void)state;
	for (int run = 0; run < RUNS; run++) {
		sampler_begin(&sampler);
		add_runs(&sampler, pages, 40000 * PAGE_BYTES);
		for (unsigned site = 0; site < SITES; site++)
			assert_true(fabs((double)sampler.booked_bytes[site] -
					 (double)(pages[site] * PAGE_BYTES)) <=
				    1.5 * (double)rss_interval_bytes(sampler.sampled_bytes) * 1.0 +
					    (double)PAGE_BYTES);
	}
}

/* A huge page is more than any distance. */
static void test_every_huge_page_is_booked_whole(void **state)
{
	struct sampler sampler;

	(void)state;
	sampler_begin(&sampler);
	for (int i = 0; i < 1000; i++)
		sampler_add(&sampler, (unsigned)i % SITES, 2 * MIB);
	assert_int_equal(sampler.samples, 1000);
	assert_int_equal(sampler.booked_bytes[0], 334 * 2 * MIB);
	assert_int_equal(sampler.bytes, 0);
}

static void test_samples_become_rarer_and_never_more_than_wanted(void **state)
{
	static const unsigned pages[SITES] = {1, 1, 1};
	struct sampler sampler;

	(void)state;
	sampler_begin(&sampler);
	add_runs(&sampler, pages, 256 * MIB);
	assert_in_range(sampler.samples, 4096 - 200, 4096 + 200);
	add_runs(&sampler, pages, 4096 * MIB - 256 * MIB);
	/* 4096 * (1 + ln 8), and one each 512 KiB of the second half. */
	assert_in_range(sampler.samples, 16200, 17400);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_interval_grows_with_what_was_sampled),
		cmocka_unit_test(test_distances_lie_between_half_and_one_and_a_half),
		cmocka_unit_test(test_no_pattern_of_runs_is_favoured),
		cmocka_unit_test(test_long_runs_are_exact_but_for_their_ends),
		cmocka_unit_test(test_every_huge_page_is_booked_whole),
		cmocka_unit_test(test_samples_become_rarer_and_never_more_than_wanted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
