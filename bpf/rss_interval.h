/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * When a change of resident memory is sampled.
 *
 * The bytes by which one target's memory grows on one CPU are summed up, kind by kind, and so are
 * those by which it shrinks. When such a sum has come to a distance that was drawn, a stack is
 * taken, all of the sum is booked on it, and the next distance is drawn: uniformly from half an
 * interval to one and a half. The sample points are a renewal process that knows nothing of the
 * stacks, so that a page is sampled with probability 1 / mean distance and then stands for one mean
 * distance of bytes: the sums are unbiased. (The first distance begins anywhere within an
 * interval.)
 *
 * The error of a site that holds the share p of a total: where memory is touched in runs, only the
 * ends of runs are uncertain, by less than 1.5 intervals each. Where sites alternate at random from
 * page to page, which is the worst case, the variance is 13/12 * interval * total * p * (1 - p),
 * the mean square of a distance over its mean being 13/12 of an interval. The interval grows with
 * what was sampled so far, from 64 KiB up to 512 KiB: so the standard error of a share is 0.8
 * percentage points at worst from 256 MiB to 2 GiB, and less beyond. What is not sampled at the end
 * is less than 1.5 intervals for each CPU and kind.
 */
#ifndef MEMWATCH_RSS_INTERVAL_H
#define MEMWATCH_RSS_INTERVAL_H

/* Arithmetic alone, so that user space can compile and test it as well. */
#include <linux/types.h>

#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif

#define RSS_INTERVAL_MIN_BYTES (64ULL << 10)
#define RSS_INTERVAL_MAX_BYTES (512ULL << 10)
/* So many samples of what was seen so far. */
#define RSS_SAMPLES_SHIFT 12

static __always_inline __u64 rss_interval_bytes(__u64 sampled_bytes)
{
	__u64 interval_bytes = sampled_bytes >> RSS_SAMPLES_SHIFT;

	if (interval_bytes < RSS_INTERVAL_MIN_BYTES)
		return RSS_INTERVAL_MIN_BYTES;
	return interval_bytes < RSS_INTERVAL_MAX_BYTES ? interval_bytes : RSS_INTERVAL_MAX_BYTES;
}

/* In [1/2, 3/2) of an interval, from 32 uniformly random bits. */
static __always_inline __u64 rss_distance_bytes(__u32 random, __u64 interval_bytes)
{
	return interval_bytes / 2 + (interval_bytes * random >> 32);
}

/* The first one, in [0, 1) of an interval. */
static __always_inline __u64 rss_first_distance_bytes(__u32 random, __u64 interval_bytes)
{
	return interval_bytes * random >> 32;
}

#endif
