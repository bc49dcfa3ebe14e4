/* SPDX-License-Identifier: Apache-2.0 */
/* What a site's points and generations measure: arithmetic alone, judged in verdict.c. */
#ifndef MEMWATCH_ACCOUNT_GROWTH_H
#define MEMWATCH_ACCOUNT_GROWTH_H

#include "account/verdict.h"

#include <stdbool.h>
#include <stddef.h>

/* Points past these are left out, the oldest first. */
#define GROWTH_POINTS_MAX 256

/*
 * The envelope is the least that is outstanding from a moment on: what was not given back since. It
 * only rises; under a sawtooth it is flat, beneath noise and turnover it shows the slow leak.
 */
struct growth {
	/* Over all points. */
	size_t points;
	double span_seconds;
	double first_bytes, last_bytes, lowest_bytes, highest_bytes;
	double allocated_bytes, freed_bytes;
	double slope_bytes_per_second; /* least squares */
	double rise_bytes;             /* of the envelope */
	double rise_stderr_bytes;      /* 0: exact */
	double fall_bytes;             /* the largest, from any point to a later one */

	/* Over the rise: from where the envelope leaves its first level until the last point. */
	size_t rise_points;
	double rise_seconds;
	double rise_allocated_bytes, rise_freed_bytes;
	double rise_slope_bytes_per_second;
	double rise_steps; /* as many equal steps would be as uneven: 1 for one jump */
	double largest_step_bytes;
	size_t points_since_largest_step; /* it led to the first of them */
	double late_bytes;                /* risen in the last third of that time */
	double idle_seconds;              /* at the end, since the envelope came to its height */
	size_t idle_points;
	double pause_seconds; /* the longest before that */
	/* In the first half: what was born then and is still there, over what the envelope rose. 1:
	 * the rise is made of these blocks; less: they die; more: they replace older ones that do.
	 * Negative: the generations don't say. */
	double old_share;
};

/* Leaves out the points before first_point. false: not enough points, or they aren't in order of
 * time. */
bool growth_measure(const struct verdict_evidence *evidence, size_t first_point,
		    struct growth *growth);

#endif
