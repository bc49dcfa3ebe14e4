/* SPDX-License-Identifier: Apache-2.0 */
/* What probe hits cost, by what one of each kind costs on this machine. Arithmetic alone. */
#ifndef MEMWATCH_TARGET_COSTS_H
#define MEMWATCH_TARGET_COSTS_H

#include "record.h"

#include <stdbool.h>

/* Nanoseconds that the probes add to one call; measured by target/calibrate.h. */
struct probe_costs {
	bool is_known;
	double allocation_exact_ns;     /* entry, return and stack */
	double allocation_unsampled_ns; /* entry alone */
	double free_exact_ns;           /* of a block that is accounted */
	double free_unknown_ns;         /* of any other */
	double single_step_ns;          /* more where the instruction cannot be emulated */
	double rss_change_ns;           /* of a page, every sixteenth with a stack */
};

/*
 * Seconds that so many hits have cost. *sampled_seconds (may be NULL): of that, what a longer
 * sampling interval lowers; entries, and frees of blocks that aren't sampled, remain. Without what
 * the RSS profile costs: that is apart.
 */
double probe_costs_seconds(const struct probe_costs *costs, const struct record_target_hits *hits,
			   bool is_exact, double *sampled_seconds);
/* The same of changes of resident memory, and of the stacks taken at some. */
double probe_costs_rss_seconds(const struct probe_costs *costs,
			       const struct record_target_hits *hits);
/* Share of wall time (1: one CPU) that so many hits have cost; < 0: not known. */
double probe_costs_share(const struct probe_costs *costs, const struct record_target_hits *hits,
			 bool is_exact, double seconds);

#endif
