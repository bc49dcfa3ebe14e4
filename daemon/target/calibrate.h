/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a probe costs on this machine: measured once, at the start, in a child of our own that does
 * nothing but allocate and free. It is also the trial whether watching works here at all.
 */
#ifndef MEMWATCH_TARGET_CALIBRATE_H
#define MEMWATCH_TARGET_CALIBRATE_H

#include "target/target.h"

/* Nanoseconds that the probes add to one call. */
struct probe_costs {
	bool is_known;
	double allocation_exact_ns;     /* entry, return and stack */
	double allocation_unsampled_ns; /* entry alone */
	double free_exact_ns;           /* of a block that is accounted */
	double free_unknown_ns;         /* of any other */
};

/* 0, or why not with the reason. Must be called before other threads exist: it forks. */
int probe_costs_calibrate(struct target_table *table, struct probe_costs *costs,
			  struct process_error *error);

/* Share of wall time (1: one CPU) that so many hits have cost. */
double probe_costs_share(const struct probe_costs *costs, const struct record_target_hits *hits,
			 bool is_exact, double seconds);

#endif
