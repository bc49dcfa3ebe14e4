/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A site of blocks that are born and die, seen as an account sees it: points at moments, the
 * outstanding bytes of generations, exact or through Poisson sampling by bytes.
 */
#ifndef MEMWATCH_TESTS_SITE_SIMULATOR_H
#define MEMWATCH_TESTS_SITE_SIMULATOR_H

#include "account/verdict.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define KIB     1024.0
#define MIB     (1024 * KIB)
#define GIB     (1024 * MIB)
#define FOREVER 1e300

enum { SIMULATOR_POINTS_MAX = 65, SIMULATOR_GENERATIONS_MAX = 17 };

struct block {
	double born_seconds;
	double died_seconds;
	double bytes;
};

struct site_history {
	struct block *blocks;
	size_t count;
	size_t capacity;
	uint64_t seed;
};

static inline double random_uniform(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return (double)(*seed >> 11) / 9007199254740992.0;
}

static inline double random_exponential(uint64_t *seed)
{
	return -log(1 - random_uniform(seed));
}

static inline void history_begin(struct site_history *history, uint64_t seed)
{
	*history = (struct site_history){.seed = seed * UINT64_C(0x9e3779b97f4a7c15) + 1};
	for (int i = 0; i < 8; i++)
		random_uniform(&history->seed);
}

static inline void history_end(struct site_history *history)
{
	free(history->blocks);
}

static inline void add_block(struct site_history *history, double born, double life, double bytes)
{
	if (history->count == history->capacity) {
		history->capacity = history->capacity ? 2 * history->capacity : 1024;
		history->blocks =
			realloc(history->blocks, history->capacity * sizeof(history->blocks[0]));
		if (history->blocks == NULL)
			abort();
	}
	history->blocks[history->count++] = (struct block){born, born + life, bytes};
}

/* ---- what an account sees */

struct view {
	double seconds;
	double interval_bytes; /* 0: exact */
	double jitter;         /* of the times of points, as a share of their distance */
};

struct seen {
	struct verdict_point points[SIMULATOR_POINTS_MAX];
	struct verdict_generation generations[SIMULATOR_GENERATIONS_MAX];
	struct verdict_evidence evidence;
};

/* One a second at first; later 64 that lie closer the younger they are. */
static inline size_t point_times(const struct view *view, uint64_t *seed, double *times)
{
	size_t count = 0;

	if (view->seconds <= 64) {
		for (double time = 0; time < view->seconds; time += 1)
			times[count++] = time;
		if (view->seconds - times[count - 1] > 0.2 && count > 1)
			times[count++] = view->seconds;
		else if (count > 1)
			times[count - 1] = view->seconds;
	} else {
		double ratio = pow(1 + view->seconds / (view->seconds / 64), 1.0 / 64);

		for (int i = 64; i >= 0; i--)
			times[count++] = view->seconds - (pow(ratio, i) - 1) * view->seconds / 64;
		times[0] = 0;
	}
	for (size_t i = 1; i + 1 < count; i++)
		times[i] += view->jitter * (random_uniform(seed) - 0.5) *
			    fmin(times[i] - times[i - 1], times[i + 1] - times[i]);
	return count;
}

/* The sampled block stands for its bytes over the chance that it was sampled. */
static inline double sample(const struct view *view, uint64_t *seed, double bytes, double *variance)
{
	double chance;

	*variance = 0;
	if (view->interval_bytes <= 0)
		return bytes;
	chance = 1 - exp(-bytes / view->interval_bytes);
	if (random_uniform(seed) >= chance)
		return 0;
	*variance = bytes / chance * bytes / chance * (1 - chance);
	return bytes / chance;
}

/* The first point at or after a moment. */
static inline size_t point_at(const struct seen *seen, double seconds)
{
	size_t low = 0, high = seen->evidence.point_count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (seen->points[middle].time_seconds < seconds)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Points get what came since the one before; see() sums up. */
static inline void see_block(struct seen *seen, const struct block *block, double bytes)
{
	size_t born = point_at(seen, block->born_seconds);
	size_t died = point_at(seen, block->died_seconds);

	if (born < seen->evidence.point_count)
		seen->points[born].allocated_bytes += (uint64_t)bytes;
	if (died < seen->evidence.point_count)
		seen->points[died].freed_bytes += (uint64_t)bytes;
	for (size_t i = 0; i < seen->evidence.generation_count; i++) {
		struct verdict_generation *generation = &seen->generations[i];

		if (block->died_seconds > seen->evidence.now_seconds &&
		    block->born_seconds >= generation->from_seconds &&
		    block->born_seconds < generation->to_seconds)
			generation->outstanding_bytes += (int64_t)bytes;
	}
}

static inline void sum_up(struct seen *seen)
{
	for (size_t i = 0; i < seen->evidence.point_count; i++) {
		struct verdict_point *point = &seen->points[i];

		if (i > 0) {
			point->allocated_bytes += point[-1].allocated_bytes;
			point->freed_bytes += point[-1].freed_bytes;
		}
		point->outstanding_bytes = (int64_t)(point->allocated_bytes - point->freed_bytes);
	}
}

static inline void see(const struct site_history *history, const struct view *view,
		       struct seen *seen)
{
	double generation_seconds = fmax(view->seconds / 16, 2);
	double times[SIMULATOR_POINTS_MAX + 1];
	uint64_t seed = history->seed;
	double variance = 0;
	double from = 0;

	memset(seen, 0, sizeof(*seen));
	seen->evidence.points = seen->points;
	seen->evidence.generations = seen->generations;
	seen->evidence.now_seconds = view->seconds;
	seen->evidence.point_count = point_times(view, &seed, times);
	for (size_t i = 0; i < seen->evidence.point_count; i++)
		seen->points[i].time_seconds = times[i];
	for (size_t i = 0; from < view->seconds && i < SIMULATOR_GENERATIONS_MAX; i++) {
		seen->generations[i].from_seconds = from;
		from = fmin(from + generation_seconds, view->seconds);
		seen->generations[i].to_seconds = from;
		seen->evidence.generation_count++;
	}
	for (size_t i = 0; i < history->count; i++) {
		const struct block *block = &history->blocks[i];
		double block_variance;
		double bytes = sample(view, &seed, block->bytes, &block_variance);

		if (block->born_seconds > view->seconds || bytes <= 0)
			continue;
		see_block(seen, block, bytes);
		if (block->died_seconds > view->seconds)
			variance += block_variance;
	}
	sum_up(seen);
	seen->evidence.outstanding_stderr_bytes = sqrt(variance);
}

/* ---- sites */

/* Blocks at a rate, evenly or by chance, that live for ever. */
static inline void add_leak(struct site_history *history, double from, double to, double rate,
			    double block_bytes, int is_random)
{
	for (double time = from; time < to;) {
		double step = block_bytes / rate;

		time += is_random ? step * random_exponential(&history->seed) : step;
		if (time < to)
			add_block(history, time, FOREVER, block_bytes);
	}
}

/* Blocks at a rate whose lives are exponential. */
static inline void add_turnover(struct site_history *history, double from, double to, double rate,
				double block_bytes, double life)
{
	for (double time = from; time < to;) {
		time += block_bytes / rate * random_exponential(&history->seed);
		if (time < to)
			add_block(history, time, life * random_exponential(&history->seed),
				  block_bytes);
	}
}

/* Fills up and lets go of everything, again and again; jitter is of the periods, as a share. */
static inline void add_sawtooth(struct site_history *history, double to, double period,
				double phase, double height, double jitter, int blocks)
{
	double begin = -phase * period;

	while (begin < to) {
		double length = period * (1 + jitter * (2 * random_uniform(&history->seed) - 1));

		for (int i = 0; i < blocks; i++) {
			double born = begin + length * (i + 0.5) / blocks;

			if (born < 0 && begin + length > 0)
				add_block(history, 0, begin + length, height / blocks);
			else if (born >= 0)
				add_block(history, born, begin + length - born, height / blocks);
		}
		begin += length;
	}
}

/* Keeps the newest entries, evicts the oldest. */
static inline void add_fifo_cache(struct site_history *history, double to, double rate,
				  double block_bytes, double capacity_bytes)
{
	double life = capacity_bytes / rate;

	for (double time = 0; time < to; time += block_bytes / rate)
		add_block(history, time, life, block_bytes);
}

#endif
