/* SPDX-License-Identifier: Apache-2.0 */
#include "target/costs.h"

#include <stddef.h>

/*
 * What a change of resident memory costs is measured where every sixteenth has a stack
 * (bpf/rss_interval.h), since there is no way to have none. Of 516 ns so measured 120 were left
 * where but one in a hundred had: three quarters are the stack's.
 */
#define CHANGES_OF_SAMPLE 16
#define SAMPLED_PART      0.75

static double smaller(double a, double b)
{
	return a < b ? a : b;
}

static double larger(double a, double b)
{
	return a > b ? a : b;
}

double probe_costs_seconds(const struct probe_costs *costs, const struct record_target_hits *hits,
			   bool is_exact, double *sampled_seconds)
{
	double allocations = (double)hits->allocations;
	double frees = (double)hits->frees;
	/* Of contract probes every allocation is a sample, and none has a return. */
	double followed =
		smaller(larger((double)hits->returns, (double)hits->samples), allocations);
	double sampled = is_exact ? followed : smaller((double)hits->samples, followed);
	/* As many as are sampled are freed, more or less: they are found in the table. */
	double known = is_exact ? frees : smaller(sampled, frees);
	double more_per_allocation = costs->allocation_exact_ns - costs->allocation_unsampled_ns;
	double more_per_free = costs->free_exact_ns - costs->free_unknown_ns;

	if (sampled_seconds)
		*sampled_seconds =
			is_exact ? 0
				 : (sampled * more_per_allocation + known * more_per_free) * 1e-9;
	return (allocations * costs->allocation_unsampled_ns + followed * more_per_allocation +
		frees * costs->free_unknown_ns + known * more_per_free +
		(double)hits->single_stepped * costs->single_step_ns) *
	       1e-9;
}

double probe_costs_rss_seconds(const struct probe_costs *costs,
			       const struct record_target_hits *hits)
{
	double sampled_ns = costs->rss_change_ns * SAMPLED_PART * CHANGES_OF_SAMPLE;
	double change_ns = costs->rss_change_ns * (1 - SAMPLED_PART);

	return ((double)hits->rss_changes * change_ns + (double)hits->rss_samples * sampled_ns) *
	       1e-9;
}

double probe_costs_share(const struct probe_costs *costs, const struct record_target_hits *hits,
			 bool is_exact, double seconds)
{
	if (!costs->is_known || seconds <= 0)
		return -1;
	return (probe_costs_seconds(costs, hits, is_exact, NULL) +
		probe_costs_rss_seconds(costs, hits)) /
	       seconds;
}
