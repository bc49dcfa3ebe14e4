/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A report judges 10,000 sites of up to 64 points within 200 ms: everything here is linear in the
 * points, which is why the slope is least squares and not Theil-Sen. It needn't be robust: it says
 * how fast, whether there is growth is the envelope's to say.
 */
#include "account/growth.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#define POINTS_MIN 3

/* Levels closer than this share of the rise are one level. */
#define START_SHARE 0.05
#define LEVEL_SHARE 0.10

static double least_squares(const struct verdict_point *points, size_t count)
{
	double time = 0, bytes = 0, covariance = 0, variance = 0;

	for (size_t i = 0; i < count; i++) {
		time += points[i].time_seconds / (double)count;
		bytes += (double)points[i].outstanding_bytes / (double)count;
	}
	for (size_t i = 0; i < count; i++) {
		double t = points[i].time_seconds - time;

		covariance += t * ((double)points[i].outstanding_bytes - bytes);
		variance += t * t;
	}
	return variance > 0 ? covariance / variance : 0;
}

static double counter_difference(uint64_t later, uint64_t earlier)
{
	return later > earlier ? (double)(later - earlier) : 0;
}

static void measure_all(const struct verdict_point *points, size_t count, struct growth *growth)
{
	const struct verdict_point *first = &points[0];
	const struct verdict_point *last = &points[count - 1];

	growth->points = count;
	growth->span_seconds = last->time_seconds - first->time_seconds;
	growth->first_bytes = (double)first->outstanding_bytes;
	growth->last_bytes = (double)last->outstanding_bytes;
	growth->lowest_bytes = growth->highest_bytes = growth->first_bytes;
	growth->allocated_bytes = counter_difference(last->allocated_bytes, first->allocated_bytes);
	growth->freed_bytes = counter_difference(last->freed_bytes, first->freed_bytes);
	growth->slope_bytes_per_second = least_squares(points, count);
	for (size_t i = 1; i < count; i++) {
		double bytes = (double)points[i].outstanding_bytes;

		growth->lowest_bytes = fmin(growth->lowest_bytes, bytes);
		growth->highest_bytes = fmax(growth->highest_bytes, bytes);
		growth->fall_bytes = fmax(growth->fall_bytes, growth->highest_bytes - bytes);
	}
}

/*
 * Under Poisson sampling the variance of an estimate is proportional to its bytes. Two moments
 * differ by the blocks that exist in only one of them: those of the rise, and those that died since
 * and were replaced, at most what was freed and at most what was there.
 */
static double rise_stderr(const struct growth *growth, double outstanding_stderr_bytes)
{
	double died = fmin(fmax(growth->first_bytes, 0), growth->freed_bytes);

	if (growth->last_bytes <= 0)
		return outstanding_stderr_bytes;
	return outstanding_stderr_bytes *
	       sqrt((growth->rise_bytes + 2 * died) / growth->last_bytes);
}

static void envelope_build(const struct verdict_point *points, size_t count, double *envelope)
{
	envelope[count - 1] = (double)points[count - 1].outstanding_bytes;
	for (size_t i = count - 1; i-- > 0;)
		envelope[i] = fmin(envelope[i + 1], (double)points[i].outstanding_bytes);
}

static double envelope_at(const struct verdict_point *points, const double *envelope, size_t count,
			  double time_seconds)
{
	size_t i = 1;

	while (i + 1 < count && points[i].time_seconds < time_seconds)
		i++;

	double step_seconds = points[i].time_seconds - points[i - 1].time_seconds;
	double share =
		step_seconds > 0 ? (time_seconds - points[i - 1].time_seconds) / step_seconds : 0;

	share = fmin(fmax(share, 0), 1);
	return envelope[i - 1] + share * (envelope[i] - envelope[i - 1]);
}

/* How even the rise is: the inverse Simpson index of its steps. */
static void measure_steps(const double *envelope, size_t count, struct growth *growth)
{
	double sum = 0, squares = 0;

	for (size_t i = 1; i < count; i++) {
		double step = envelope[i] - envelope[i - 1];

		sum += step;
		squares += step * step;
		if (step > growth->largest_step_bytes) {
			growth->largest_step_bytes = step;
			growth->points_since_largest_step = count - i;
		}
	}
	growth->rise_steps = squares > 0 ? sum * sum / squares : 0;
}

static double longest_pause(const struct verdict_point *points, const double *envelope, size_t last,
			    double level_bytes)
{
	double longest = 0;
	size_t begin = 0;

	for (size_t end = 1; end <= last; end++) {
		while (envelope[end] - envelope[begin] > level_bytes)
			begin++;
		longest = fmax(longest, points[end].time_seconds - points[begin].time_seconds);
	}
	return longest;
}

/* points and envelope begin where the rise does. */
static void measure_rise(const struct verdict_point *points, const double *envelope, size_t count,
			 struct growth *growth)
{
	const struct verdict_point *first = &points[0];
	const struct verdict_point *last = &points[count - 1];
	double level_bytes = LEVEL_SHARE * growth->rise_bytes;
	size_t top = 0;

	growth->rise_points = count;
	growth->rise_seconds = last->time_seconds - first->time_seconds;
	growth->rise_allocated_bytes =
		counter_difference(last->allocated_bytes, first->allocated_bytes);
	growth->rise_freed_bytes = counter_difference(last->freed_bytes, first->freed_bytes);
	growth->rise_slope_bytes_per_second = least_squares(points, count);
	measure_steps(envelope, count, growth);
	growth->late_bytes =
		growth->last_bytes -
		envelope_at(points, envelope, count, last->time_seconds - growth->rise_seconds / 3);
	/* Falls are part of the height: after a rise that stopped, the total moves by as much. */
	while (envelope[top] < growth->last_bytes - level_bytes - growth->fall_bytes)
		top++;
	growth->idle_seconds = last->time_seconds - points[top].time_seconds;
	growth->idle_points = count - 1 - top;
	growth->pause_seconds = longest_pause(points, envelope, top, level_bytes);
}

/* The generation whose end lies nearest to a moment, among those that begin within [from, moment)
 * and aren't the youngest; NULL: none. */
static const struct verdict_generation *generation_near(const struct verdict_evidence *evidence,
							double from_seconds, double moment_seconds)
{
	const struct verdict_generation *nearest = NULL;

	for (size_t i = 0; i + 1 < evidence->generation_count; i++) {
		const struct verdict_generation *generation = &evidence->generations[i];

		if (generation->from_seconds < from_seconds ||
		    generation->from_seconds >= moment_seconds)
			continue;
		if (nearest == NULL || fabs(generation->to_seconds - moment_seconds) <
					       fabs(nearest->to_seconds - moment_seconds))
			nearest = generation;
	}
	return nearest;
}

/*
 * Only whole generations within the rise, so that blocks from before it don't count, and none from
 * its first moment, in which turnover came to its level.
 */
static double measure_old_share(const struct verdict_evidence *evidence,
				const struct verdict_point *points, const double *envelope,
				size_t count, double rise_bytes)
{
	double middle_seconds = (points[0].time_seconds + points[count - 1].time_seconds) / 2;
	double from_seconds = points[1].time_seconds;
	const struct verdict_generation *last =
		generation_near(evidence, from_seconds, middle_seconds);
	const struct verdict_generation *first = last;
	double old_bytes = 0;
	double risen_bytes;

	if (last == NULL)
		return -1;
	for (;; first--) {
		old_bytes += (double)first->outstanding_bytes;
		if (first == evidence->generations || first[-1].from_seconds < from_seconds)
			break;
	}
	risen_bytes = envelope_at(points, envelope, count, last->to_seconds) -
		      envelope_at(points, envelope, count, first->from_seconds);
	return risen_bytes < LEVEL_SHARE * rise_bytes ? -1 : old_bytes / risen_bytes;
}

static bool are_in_order(const struct verdict_point *points, size_t count)
{
	for (size_t i = 1; i < count; i++)
		if (!(points[i].time_seconds >= points[i - 1].time_seconds))
			return false;
	return points[count - 1].time_seconds > points[0].time_seconds;
}

bool growth_measure(const struct verdict_evidence *evidence, size_t first_point,
		    struct growth *growth)
{
	const struct verdict_point *points = evidence->points + first_point;
	size_t count = evidence->point_count - first_point;
	double envelope[GROWTH_POINTS_MAX] = {0};
	size_t start = 0;

	memset(growth, 0, sizeof(*growth));
	growth->old_share = -1;
	if (count > GROWTH_POINTS_MAX) {
		points += count - GROWTH_POINTS_MAX;
		count = GROWTH_POINTS_MAX;
	}
	if (count < POINTS_MIN || !are_in_order(points, count))
		return false;
	measure_all(points, count, growth);
	envelope_build(points, count, envelope);
	growth->rise_bytes = envelope[count - 1] - envelope[0];
	growth->rise_stderr_bytes = rise_stderr(growth, evidence->outstanding_stderr_bytes);
	if (!(growth->rise_bytes > 0))
		return true;
	while (envelope[start + 1] <= envelope[0] + START_SHARE * growth->rise_bytes)
		start++;
	measure_rise(points + start, envelope + start, count - start, growth);
	growth->old_share = measure_old_share(evidence, points + start, envelope + start,
					      count - start, growth->rise_bytes);
	return true;
}
