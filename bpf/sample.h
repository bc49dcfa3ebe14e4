/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Poisson sampling of allocated bytes, and what a sampled block stands for.
 *
 * Blocks of at least one interval are always taken and count as they are. Of smaller ones, a point
 * process with one point per interval on average runs over the thread's allocated bytes, and a
 * block that holds a point is taken: P(taken) = 1 - exp(-size / interval). It stands for size / P
 * bytes (Horvitz-Thompson), which makes sums unbiased; the variance it adds is weight * (weight -
 * size).
 */
#ifndef MEMWATCH_SAMPLE_H
#define MEMWATCH_SAMPLE_H

/* Arithmetic alone, so that user space can compile and test it as well. */
#include <linux/types.h>

#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif

/* Logarithms have 28 binary places: at the longest interval, 2^30, a distance is a byte exact. */
#define LOG_PLACES 28
#define LN2_Q28    186065279ULL /* ln(2) * 2^28 */

/* log2(value) * 2^28 of 0 < value <= 2^32: one bit of the fraction for each squaring. */
static __always_inline __u64 log2_q28(__u64 value)
{
	__u64 exponent = 0, mantissa = value, fraction = 0;

	for (int step = 32; step; step >>= 1) {
		if (mantissa >> step) {
			mantissa >>= step;
			exponent += step;
		}
	}
	mantissa = value << (63 - exponent) >> 32; /* in [2^31, 2^32) */
	for (int bit = 0; bit < LOG_PLACES; bit++) {
		mantissa = mantissa * mantissa >> 31;
		fraction <<= 1;
		if (mantissa >> 32) {
			mantissa >>= 1;
			fraction |= 1;
		}
	}
	return exponent << LOG_PLACES | fraction;
}

/*
 * Bytes up to and with the one that holds the next point: exponentially distributed with mean
 * interval (at most 2^30), from 32 uniformly random bits. At least 1, since there is no byte 0: or
 * else a fresh draw, all that a short-lived thread ever has, would favour its first block.
 */
static __always_inline __s64 sample_distance_bytes(__u32 random, __u64 interval_bytes)
{
	__u64 uniform = (__u64)random + 1; /* (0, 2^32] */
	__u64 minus_log2 = (32ULL << LOG_PLACES) - log2_q28(uniform);
	__u64 minus_ln = minus_log2 * LN2_Q28 >> LOG_PLACES;

	return (interval_bytes * minus_ln >> LOG_PLACES) + 1;
}

/*
 * size / (1 - exp(-size / interval)) for 0 < size < interval <= 2^30, by the series
 * x / (1 - e^-x) = 1 + x/2 + x^2/12 - x^4/720 + x^6/30240 - ..., x < 1: relative error < 1e-6.
 */
static __always_inline __u64 sample_weight_bytes(__u64 size_bytes, __u64 interval_bytes)
{
	__u64 x = (size_bytes << 32) / interval_bytes;
	__u64 x2 = x * x >> 32;
	__u64 x4 = x2 * x2 >> 32;
	__u64 x6 = x4 * x2 >> 32;
	__u64 factor = (1ULL << 32) + x / 2 + x2 / 12 - x4 / 720 + x6 / 30240;

	/* To the nearest byte: always down would be a bias of half a byte per interval. */
	return (interval_bytes * factor + (1ULL << 31)) >> 32;
}

#endif
