/* SPDX-License-Identifier: Apache-2.0 */
/* Sums of sites: what a file says may add up to anything, so they stop at the ends of their range.
 */
#include "view/line_sum.h"

#include <math.h>

/* As account/estimate.c adds to what it states of a site. */
#define SAMPLES_ADDED 2.0

int64_t line_sum_bytes(int64_t a, int64_t b)
{
	int64_t sum;

	if (!__builtin_add_overflow(a, b, &sum))
		return sum;
	return b < 0 ? INT64_MIN : INT64_MAX;
}

static uint64_t add_unsigned(uint64_t a, uint64_t b)
{
	uint64_t sum;

	return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

void line_sum_add(struct line_sum *sum, const struct line_sum *more)
{
	sum->outstanding_bytes = line_sum_bytes(sum->outstanding_bytes, more->outstanding_bytes);
	sum->outstanding_objects += more->outstanding_objects;
	sum->python_arena_bytes = line_sum_bytes(sum->python_arena_bytes, more->python_arena_bytes);
	sum->allocated_bytes = add_unsigned(sum->allocated_bytes, more->allocated_bytes);
	sum->allocated_objects += more->allocated_objects;
	sum->freed_bytes = add_unsigned(sum->freed_bytes, more->freed_bytes);
	sum->freed_objects += more->freed_objects;
	sum->rss_growth_bytes = line_sum_bytes(sum->rss_growth_bytes, more->rss_growth_bytes);
	sum->variance += more->variance;
	sum->is_estimated |= more->is_estimated;
}

static double added_variance(uint64_t sampling_interval_bytes)
{
	double interval = (double)sampling_interval_bytes;

	return sampling_interval_bytes <= 1 ? 0 : SAMPLES_ADDED * interval * interval;
}

void line_sum_finish(struct line_sum *sum, uint64_t sampling_interval_bytes)
{
	sum->outstanding_bytes_stderr =
		sum->is_estimated ? sqrt(sum->variance + added_variance(sampling_interval_bytes))
				  : 0;
	if (sum->peak_bytes < sum->outstanding_bytes)
		sum->peak_bytes = sum->outstanding_bytes;
}

struct line_sum line_sum_of_site(const struct answer_site *site, uint64_t sampling_interval_bytes)
{
	double stderr_bytes = site->outstanding_bytes_stderr;
	double variance = stderr_bytes * stderr_bytes - added_variance(sampling_interval_bytes);

	return (struct line_sum){
		.outstanding_bytes = site->outstanding_bytes,
		.outstanding_objects = site->outstanding_objects,
		.python_arena_bytes = site->is_python_arena ? site->outstanding_bytes : 0,
		.allocated_bytes = site->allocated_bytes,
		.allocated_objects = site->allocated_objects,
		.freed_bytes = site->freed_bytes,
		.freed_objects = site->freed_objects,
		.rss_growth_bytes = site->rss.growth_bytes,
		.variance = stderr_bytes > 0 && variance > 0 ? variance : 0,
		.is_estimated = stderr_bytes > 0,
	};
}
