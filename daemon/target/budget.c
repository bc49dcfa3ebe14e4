/* SPDX-License-Identifier: Apache-2.0 */
#include "target/budget.h"

#include <math.h>

/*
 * The next look may come late by half an interval: what is lost until then counts now, or else the
 * decision would come after more than BUDGET_DECISION_SECONDS.
 */
#define LOOK_AHEAD 1.5
/* Over how long recent_share is averaged. */
#define RECENT_SECONDS 1.0
/* A raised interval aims below the budget: what it was measured by is a sample. */
#define RAISE_MARGIN 0.9

/* A thread that hardly ever sleeps. */
#define BUSY_SHARE 0.9

/* A process with one busy thread among sleeping ones has one thread. */
static double threads_that_ran(const struct budget_look *look)
{
	double threads = (look->cpu_seconds + look->waited_seconds) / look->wall_seconds;

	return threads > 1 ? threads : 1;
}

/*
 * The time of one of them that was its own. Who sleeps now and then has time to spare, and loses no
 * speed by waiting a little.
 */
static double own_seconds(const struct budget_look *look)
{
	if (look->cpu_seconds + look->waited_seconds < BUSY_SHARE * look->wall_seconds)
		return look->wall_seconds;
	return look->wall_seconds - look->waited_seconds / threads_that_ran(look);
}

/*
 * What the costs have to be multiplied by on a machine that was slower when they were measured:
 * more than all of the process's time the probes can't have taken.
 */
static double correction(const struct budget_look *look)
{
	if (look->cpu_seconds > 0 && look->probe_seconds > look->cpu_seconds)
		return look->cpu_seconds / look->probe_seconds;
	return 1;
}

enum budget_decision budget_account(struct budget *budget, const struct budget_look *look,
				    double share)
{
	double seconds = look->wall_seconds > 0 ? own_seconds(look) : 0;
	double probe_seconds, weight;

	if (seconds <= 0)
		return BUDGET_GO_ON;
	probe_seconds = look->probe_seconds * correction(look) / threads_that_ran(look);
	weight = 1 - exp(-look->wall_seconds / RECENT_SECONDS);
	budget->last_share = probe_seconds / seconds;
	if (!budget->was_looked_at)
		weight = 1;
	budget->recent_share += (budget->last_share - budget->recent_share) * weight;
	budget->was_looked_at = true;

	budget->used_seconds += probe_seconds - share * seconds;
	if (!(budget->used_seconds > 0)) {
		budget->used_seconds = 0;
		budget->over_probe_seconds = budget->over_seconds = 0;
		return BUDGET_GO_ON;
	}
	budget->over_probe_seconds += probe_seconds;
	budget->over_seconds += seconds;
	if (budget->used_seconds >= BUDGET_CAPACITY_SECONDS)
		return BUDGET_END;
	if (budget->last_share > share &&
	    budget->over_probe_seconds + LOOK_AHEAD * probe_seconds > BUDGET_DECISION_SECONDS)
		return BUDGET_LOWER_COST;
	return BUDGET_GO_ON;
}

bool budget_is_over(const struct budget *budget, double share)
{
	return budget->used_seconds > 0 && budget->recent_share > share;
}

double budget_over_share(const struct budget *budget)
{
	return budget->over_seconds > 0 ? budget->over_probe_seconds / budget->over_seconds
					: budget->last_share;
}

uint64_t budget_raise_interval(uint64_t interval_bytes, const struct budget_look *look,
			       double share)
{
	double seconds = own_seconds(look) * threads_that_ran(look);
	double probe_seconds = look->probe_seconds * correction(look);
	double sampled_seconds = look->sampled_seconds * correction(look);
	double allowed_seconds = share * RAISE_MARGIN * seconds - (probe_seconds - sampled_seconds);
	uint64_t raised_bytes = interval_bytes;

	/* What entries and frees cost is too much already: samples would be lost for nothing. */
	if (allowed_seconds <= 0)
		return interval_bytes;
	while (sampled_seconds > allowed_seconds && raised_bytes < BUDGET_INTERVAL_BYTES_MAX) {
		sampled_seconds /= 2;
		raised_bytes *= 2;
	}
	return raised_bytes < BUDGET_INTERVAL_BYTES_MAX ? raised_bytes : BUDGET_INTERVAL_BYTES_MAX;
}
