/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules, in the order in which they are asked. All is relative to the site's own numbers, so
 * that two seconds and two days are judged alike. The "rise" is the envelope's (growth.h), what was
 * not given back since; the "fall" is the largest loss from any point to a later one.
 *
 * unknown
 *   fewer than 3 points             two are on a line whatever happened
 *
 * it grows
 *   rise >= 4 KiB                   a page: less cannot be seen in RSS
 *   rise >= 0.5% of the highest     less is slack of a large site; a real leak gets there
 *   rise >= 3 standard errors       sampled: one site in 700 by chance, before the other rules
 *   rise >= 2 falls                 a sawtooth rises by no more than it falls, noise hardly; a leak
 *                                   beneath either outgrows it in time
 *   and it has not stopped, that is been flat (within 10% of the rise, and the fall) for
 *   - 25% of its time, + fall/rise  an even rise is that near its end for 10% + fall/rise
 *   - 3 points                      four equal totals in a row
 *   - twice its longest pause       a leak in rare bursts pauses for as long as it did before
 *
 * leak: it grows, and
 *   6 points in the rise            five steps are the least that can be called even
 *   4 standard errors               sampled: one site in 30,000 by chance
 *   4 steps                         by the inverse Simpson index, which counts equal steps: loading
 *                                   in one, two or three is no leak yet
 *   22% of it in the last third     two thirds of an even pace (within 2 standard errors): a cache
 *                                   that fills slows down as its hits become more
 *   its blocks don't die:
 *   - 75% of what was allocated     is not freed, 25% being temporary; or,
 *   - 75% to 133% of the rise of    its first half is blocks born then and still there. That sees
 *                                   the leak beneath turnover. In a queue or a cache that fills the
 *                                   old ones are dead (61% by random eviction, at 63% full); where
 *                                   new blocks only replace still older ones, they are more.
 *
 *   or a leak by all of these in the time since a load, which is what has stopped, or 25% of the
 *   rise in one step (more would be too few steps, or slow down), by more than 2 of all falls
 *
 * growing
 *   it grows, but is no leak by these rules
 *
 * cache
 *   allocated and freed >= half     of the highest total: half of it was replaced, not loaded once
 *   blocks outlive the time between points, or the lowest total is half the highest
 *                                   else they are short-lived and hold nothing: steady
 * steady
 *   otherwise
 *
 * What no rule can tell: a cache that fills evenly and has not freed a block yet looks like a leak
 * until it is full, and so does a sawtooth until its first fall.
 */
#include "account/verdict.h"
#include "account/growth.h"

#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

static const double rise_bytes_min = 4096;
static const double rise_share_min = 0.005;
static const double rise_falls_min = 2;
static const double growing_stderrs_min = 3;
static const double idle_share_max = 0.25;
static const size_t idle_points_min = 3;
static const double idle_pauses_max = 2;
static const size_t leak_points_min = 6;
static const double leak_stderrs_min = 4;
static const double leak_steps_min = 4;
static const double leak_late_share_min = 0.22;
static const double leak_late_stderrs = 2;
static const double leak_stay_share_min = 0.75;
static const double load_share_min = 0.25;
static const double turnover_share_min = 0.5;
static const double held_share_min = 0.5;

const char *verdict_name(enum verdict verdict)
{
	switch (verdict) {
	case VERDICT_LEAK:
		return "leak";
	case VERDICT_GROWING:
		return "growing";
	case VERDICT_UNKNOWN:
		return "unknown";
	case VERDICT_CACHE:
		return "cache";
	case VERDICT_STEADY:
		return "steady";
	}
	return "unknown";
}

/* ---- words */

struct words {
	char text[24];
};

static struct words bytes_in_words(double bytes)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
	struct words words;
	size_t unit = 0;

	while (fabs(bytes) >= 1023.5 && unit + 1 < sizeof(units) / sizeof(units[0])) {
		bytes /= 1024;
		unit++;
	}
	snprintf(words.text, sizeof(words.text), "%.*f %s", unit > 0 && fabs(bytes) < 99.95 ? 1 : 0,
		 bytes, units[unit]);
	return words;
}

static struct words seconds_in_words(double seconds)
{
	struct words words;

	if (seconds < 9.95)
		snprintf(words.text, sizeof(words.text), "%.1f s", seconds);
	else if (seconds < 120)
		snprintf(words.text, sizeof(words.text), "%.0f s", seconds);
	else if (seconds < 7200)
		snprintf(words.text, sizeof(words.text), "%.0f min", seconds / 60);
	else if (seconds < 172800)
		snprintf(words.text, sizeof(words.text), "%.1f h", seconds / 3600);
	else
		snprintf(words.text, sizeof(words.text), "%.1f days", seconds / 86400);
	return words;
}

#define BYTES(bytes)     (bytes_in_words(bytes).text)
#define SECONDS(seconds) (seconds_in_words(seconds).text)

__attribute__((format(printf, 3, 4))) static void
conclude(struct verdict_conclusion *conclusion, enum verdict verdict, const char *format, ...)
{
	va_list arguments;

	conclusion->verdict = verdict;
	va_start(arguments, format);
	vsnprintf(conclusion->reason, sizeof(conclusion->reason), format, arguments);
	va_end(arguments);
}

/* ---- rules */

static bool has_stopped(const struct growth *growth)
{
	double hidden_share = growth->fall_bytes / growth->rise_bytes;

	return growth->idle_points >= idle_points_min &&
	       growth->idle_seconds >= (idle_share_max + hidden_share) * growth->rise_seconds &&
	       growth->idle_seconds >= idle_pauses_max * growth->pause_seconds;
}

static bool is_rise(const struct growth *growth)
{
	return growth->rise_bytes >= rise_bytes_min &&
	       growth->rise_bytes >= rise_share_min * growth->highest_bytes &&
	       growth->rise_bytes >= growing_stderrs_min * growth->rise_stderr_bytes &&
	       growth->rise_bytes >= rise_falls_min * growth->fall_bytes;
}

static bool is_hardly_freed(const struct growth *growth)
{
	return growth->rise_allocated_bytes > 0 &&
	       growth->rise_freed_bytes <= (1 - leak_stay_share_min) * growth->rise_allocated_bytes;
}

static bool is_made_of_old_blocks(const struct growth *growth)
{
	return growth->old_share >= leak_stay_share_min &&
	       growth->old_share <= 1 / leak_stay_share_min;
}

/* What keeps growth from being a leak, in words; NULL: nothing. */
static const char *objection(const struct growth *growth)
{
	double noise_bytes = leak_late_stderrs * growth->rise_stderr_bytes / sqrt(3);

	if (growth->rise_points < leak_points_min)
		return "seen too briefly to say more";
	if (growth->rise_steps < leak_steps_min)
		return "in too few steps to say more";
	if (growth->rise_bytes < leak_stderrs_min * growth->rise_stderr_bytes)
		return "too few samples to say more";
	if (growth->late_bytes + noise_bytes < leak_late_share_min * growth->rise_bytes)
		return "but it slows down";
	if (!is_hardly_freed(growth) && !is_made_of_old_blocks(growth))
		return "but its blocks still die";
	return NULL;
}

static void judge_growth(const struct growth *growth, struct verdict_conclusion *conclusion)
{
	const char *but = objection(growth);
	char stderr_text[40] = "";
	struct words rate = bytes_in_words(growth->rise_slope_bytes_per_second);
	struct words time = seconds_in_words(growth->rise_seconds);
	struct words allocated = bytes_in_words(growth->rise_allocated_bytes);
	struct words freed = bytes_in_words(growth->rise_freed_bytes);

	conclusion->growth_bytes_per_second = growth->rise_slope_bytes_per_second;
	if (growth->rise_stderr_bytes > 0)
		snprintf(stderr_text, sizeof(stderr_text), " (± %.0f%%)",
			 100 * growth->rise_stderr_bytes / growth->rise_bytes);
	if (but != NULL)
		conclude(conclusion, VERDICT_GROWING,
			 "grew by %s/s%s for %s, %s; %s of %s allocated was freed", rate.text,
			 stderr_text, time.text, but, freed.text, allocated.text);
	else if (growth->rise_freed_bytes <= 0)
		conclude(conclusion, VERDICT_LEAK,
			 "grew by %s/s%s for %s; of %s allocated nothing was freed", rate.text,
			 stderr_text, time.text, allocated.text);
	else if (is_hardly_freed(growth))
		conclude(conclusion, VERDICT_LEAK,
			 "grew by %s/s%s for %s; of %s allocated only %s was freed", rate.text,
			 stderr_text, time.text, allocated.text, freed.text);
	else
		conclude(conclusion, VERDICT_LEAK,
			 "grew by %s/s%s for %s; %s of %s allocated was freed, but what it grew "
			 "by in the first half is still there",
			 rate.text, stderr_text, time.text, freed.text, allocated.text);
}

static void judge_turnover(const struct growth *growth, struct verdict_conclusion *conclusion)
{
	double turnover_bytes = fmin(growth->allocated_bytes, growth->freed_bytes);
	double spacing_seconds = growth->span_seconds / (double)(growth->points - 1);
	double mean_bytes = (growth->lowest_bytes + growth->highest_bytes) / 2;
	/* Little's law. */
	double life_seconds = turnover_bytes > 0
				      ? fmax(mean_bytes, 0) * growth->span_seconds / turnover_bytes
				      : growth->span_seconds;
	struct words lowest = bytes_in_words(growth->lowest_bytes);
	struct words highest = bytes_in_words(growth->highest_bytes);
	struct words freed = bytes_in_words(growth->freed_bytes);
	struct words allocated = bytes_in_words(growth->allocated_bytes);

	if (turnover_bytes <= 0 || turnover_bytes < turnover_share_min * growth->highest_bytes) {
		if (is_rise(growth))
			conclude(conclusion, VERDICT_STEADY, "rose by %s and stopped %s ago",
				 BYTES(growth->rise_bytes), SECONDS(growth->idle_seconds));
		else if (growth->lowest_bytes == growth->highest_bytes)
			conclude(conclusion, VERDICT_STEADY, "stayed at %s for %s", highest.text,
				 SECONDS(growth->span_seconds));
		else
			conclude(conclusion, VERDICT_STEADY, "stayed between %s and %s for %s",
				 lowest.text, highest.text, SECONDS(growth->span_seconds));
		return;
	}
	if (life_seconds < spacing_seconds &&
	    growth->lowest_bytes < held_share_min * growth->highest_bytes) {
		conclude(conclusion, VERDICT_STEADY,
			 "short-lived blocks: %s allocated and %s freed within %s, at most %s was "
			 "outstanding",
			 allocated.text, freed.text, SECONDS(growth->span_seconds), highest.text);
		return;
	}
	conclude(conclusion, VERDICT_CACHE,
		 "blocks turn over: %s allocated and %s freed within %s, the total between %s and "
		 "%s",
		 allocated.text, freed.text, SECONDS(growth->span_seconds), lowest.text,
		 highest.text);
}

static double oldest_age(const struct verdict_evidence *evidence)
{
	for (size_t i = 0; i < evidence->generation_count; i++)
		if (evidence->generations[i].outstanding_bytes > 0)
			return fmax(evidence->now_seconds - evidence->generations[i].to_seconds, 0);
	return 0;
}

/* Points since a load that may hide a leak behind it, 0: there was none. */
static size_t points_since_load(const struct growth *growth)
{
	if (!is_rise(growth))
		return 0;
	if (has_stopped(growth))
		return growth->idle_points + 1;
	if (growth->largest_step_bytes >= load_share_min * growth->rise_bytes)
		return growth->points_since_largest_step;
	return 0;
}

/* A leak in the time since a load, which may be a hundred times as large; and so on. What a load
 * leaves behind is noise more often than growth: nothing less than a leak counts. */
static bool find_leak_since_load(const struct verdict_evidence *evidence, const struct growth *all,
				 struct growth *since)
{
	size_t points;

	*since = *all;
	while ((points = points_since_load(since)) != 0 && points < since->points) {
		if (!growth_measure(evidence, evidence->point_count - points, since))
			return false;
		if (is_rise(since) && since->rise_bytes >= rise_falls_min * all->fall_bytes &&
		    !has_stopped(since) && objection(since) == NULL)
			return true;
	}
	return false;
}

void verdict_judge(const struct verdict_evidence *evidence, struct verdict_conclusion *conclusion)
{
	struct growth all;
	struct growth since;
	bool is_growing;

	conclusion->growth_bytes_per_second = 0;
	conclusion->oldest_age_seconds = oldest_age(evidence);
	if (!growth_measure(evidence, 0, &all)) {
		conclude(conclusion, VERDICT_UNKNOWN, "seen too briefly: %zu point%s in time",
			 evidence->point_count, evidence->point_count == 1 ? "" : "s");
		return;
	}
	conclusion->growth_bytes_per_second = all.slope_bytes_per_second;
	is_growing = is_rise(&all) && !has_stopped(&all);
	/* A growth to which something can be objected may be a leak since a load that ended. */
	if ((!is_growing || objection(&all) != NULL) &&
	    find_leak_since_load(evidence, &all, &since))
		judge_growth(&since, conclusion);
	else if (is_growing)
		judge_growth(&all, conclusion);
	else
		judge_turnover(&all, conclusion);
}
