/* SPDX-License-Identifier: Apache-2.0 */
/* How an account's numbers went over time, and what is concluded from that. */
#include "account/table.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Points are this far apart at first, later a thirty-second of the account's age. */
#define POINT_SECONDS_MIN 1.0

/*
 * Takes out the inner point whose neighbours are closest together for its age, which keeps the
 * points evenly spread on a logarithmic scale.
 */
static void drop_point(struct account *account, double now)
{
	size_t count = account->point_count, dropped = 1;
	double least = 1e300;

	for (size_t i = 1; i + 1 < count; i++) {
		double gap = account->point_seconds[i + 1] - account->point_seconds[i - 1];
		double density = gap / (now - account->point_seconds[i] + POINT_SECONDS_MIN);

		if (density < least) {
			least = density;
			dropped = i;
		}
	}
	memmove(&account->point_seconds[dropped], &account->point_seconds[dropped + 1],
		(count - dropped - 1) * sizeof(account->point_seconds[0]));
	for (size_t i = 0; i < account->site_count; i++) {
		struct site_point *points = account->sites[i]->points;

		memmove(&points[dropped], &points[dropped + 1],
			(count - dropped - 1) * sizeof(points[0]));
	}
	account->point_count--;
}

static void add_point(struct account *account, double now)
{
	size_t index;

	if (account->point_count == SITE_POINTS_MAX)
		drop_point(account, now);
	index = account->point_count++;
	account->point_seconds[index] = now;
	for (size_t i = 0; i < account->site_count; i++) {
		struct site_numbers numbers;

		site_read_numbers(account->sites[i], &numbers);
		account->sites[i]->points[index] = (struct site_point){
			.outstanding_bytes = numbers.outstanding_bytes,
			.allocated_bytes = numbers.allocated_bytes,
			.freed_bytes = numbers.freed_bytes,
		};
	}
}

/* ---- Mapping events were lost: what isn't mapped any more is taken off ---- */

static int append_range(struct mapping_range **ranges, size_t *count, size_t *capacity,
			uint64_t start, uint64_t end)
{
	if (*count == *capacity) {
		size_t grown = *capacity ? *capacity * 2 : 256;
		struct mapping_range *moved = reallocarray(*ranges, grown, sizeof(**ranges));

		if (!moved)
			return -ENOMEM;
		*ranges = moved;
		*capacity = grown;
	}
	(*ranges)[(*count)++] = (struct mapping_range){.start = start, .end = end};
	return 0;
}

static int read_ranges(pid_t pid, struct mapping_range **ranges, size_t *count)
{
	size_t capacity = 0, line_capacity = 0;
	struct address_range range;
	char *line = NULL, path[64];
	int error = 0;
	FILE *maps;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	maps = fopen(path, "re");
	if (!maps)
		return -errno;
	while (!error && getline(&line, &line_capacity, maps) > 0) {
		line[strcspn(line, "\n")] = '\0';
		if (!address_range_parse(line, &range))
			error = append_range(ranges, count, &capacity, range.start, range.end);
	}
	free(line);
	fclose(maps);
	return error;
}

/*
 * Events from before the loss may still be in the ring buffer, and what they map may be unmapped by
 * one that was lost: so it takes a second look, when they have been handled.
 */
static void make_good_lost_mappings(struct account_table *table, struct account *account)
{
	uint64_t lost =
		probe_object_counters(table->object)[account->target->slot].lost_mapping_events;
	struct mapping_range *ranges = NULL;
	size_t count = 0;

	if (lost == account->mappings_lost_seen)
		return;
	/* Without a main thread /proc shows no mappings at all. */
	if (!read_ranges(account->identity.pid, &ranges, &count) && count)
		mapping_table_intersect(account->mappings, ranges, count);
	account->mappings_lost_seen = account->mappings_lost_noted;
	account->mappings_lost_noted = lost;
	free(ranges);
}

void account_tick(struct account_table *table, struct account *account, double now_seconds)
{
	double now = now_seconds - account->began_seconds;
	double wanted = now / SITE_POINTS_MAX;
	double last = account->point_count ? account->point_seconds[account->point_count - 1]
					   : -POINT_SECONDS_MIN;

	if (account->end_reason || !account->target)
		return;
	make_good_lost_mappings(table, account);
	account_look(table, account, now_seconds);
	/* The clock that ticks is not exact either. */
	if (wanted < POINT_SECONDS_MIN * 0.9)
		wanted = POINT_SECONDS_MIN * 0.9;
	if (now - last < wanted)
		return;
	account_update(table, account);
	add_point(account, now);
}

/* ---- Verdict ---- */

static size_t collect_points(const struct account *account, const struct site *site, double now,
			     struct verdict_point *points)
{
	struct site_numbers numbers;
	size_t count = account->point_count;

	for (size_t i = 0; i < count; i++)
		points[i] = (struct verdict_point){
			.time_seconds = account->point_seconds[i],
			.outstanding_bytes = site->points[i].outstanding_bytes,
			.allocated_bytes = site->points[i].allocated_bytes,
			.freed_bytes = site->points[i].freed_bytes,
		};
	if (count && now <= points[count - 1].time_seconds)
		return count;
	site_read_numbers(site, &numbers);
	points[count] = (struct verdict_point){
		.time_seconds = now,
		.outstanding_bytes = numbers.outstanding_bytes,
		.allocated_bytes = numbers.allocated_bytes,
		.freed_bytes = numbers.freed_bytes,
	};
	return count + 1;
}

/* The generations in the ring, and before them one for everything older. */
static size_t collect_generations(const struct account *account, const struct site *site,
				  int64_t outstanding_bytes, double now,
				  struct verdict_generation *generations)
{
	uint32_t newest = account->generation;
	uint32_t oldest = newest >= RECORD_GENERATIONS ? newest - RECORD_GENERATIONS + 1 : 1;
	int64_t rest_bytes = outstanding_bytes;
	size_t count = 0;

	if (oldest > 1)
		count++; /* filled in below */
	for (uint32_t generation = oldest; generation <= newest; generation++) {
		double from = account->generation_start_seconds[generation % RECORD_GENERATIONS];
		double to = generation == newest
				    ? now + account->began_seconds
				    : account->generation_start_seconds[(generation + 1) %
									RECORD_GENERATIONS];

		generations[count] = (struct verdict_generation){
			.from_seconds = from - account->began_seconds,
			.to_seconds = to - account->began_seconds,
			.outstanding_bytes = site_generation_bytes(site, generation),
		};
		rest_bytes -= generations[count++].outstanding_bytes;
	}
	if (oldest > 1)
		generations[0] = (struct verdict_generation){
			.from_seconds = 0,
			.to_seconds = generations[1].from_seconds,
			.outstanding_bytes = rest_bytes,
		};
	return count;
}

void account_judge(const struct account *account, const struct site *site, double now_seconds,
		   struct verdict_conclusion *conclusion)
{
	struct verdict_generation generations[RECORD_GENERATIONS + 1];
	struct verdict_point points[SITE_POINTS_MAX + 1];
	double now = account_observed_seconds(account, now_seconds);
	struct verdict_evidence evidence = {.now_seconds = now};
	struct site_numbers numbers;

	site_read_numbers(site, &numbers);
	evidence.points = points;
	evidence.point_count = collect_points(account, site, now, points);
	evidence.generations = generations;
	evidence.generation_count =
		collect_generations(account, site, numbers.outstanding_bytes, now, generations);
	evidence.outstanding_stderr_bytes = 0;
	if (numbers.outstanding_variance > 0)
		evidence.outstanding_stderr_bytes = __builtin_sqrt(numbers.outstanding_variance);
	verdict_judge(&evidence, conclusion);
	/* Where nothing ever died the oldest block is the first one, whose birth is known exactly.
	 */
	if (!numbers.freed_bytes && numbers.outstanding_bytes > 0 && site->blocks.first_ns)
		conclusion->oldest_age_seconds =
			now + account->began_seconds - (double)site->blocks.first_ns * 1e-9;
}
