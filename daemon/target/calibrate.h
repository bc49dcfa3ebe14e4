/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a probe costs on this machine: measured once, at the start, in a child of our own that does
 * nothing but allocate and free. It is also the trial whether watching works here at all.
 */
#ifndef MEMWATCH_TARGET_CALIBRATE_H
#define MEMWATCH_TARGET_CALIBRATE_H

#include "target/costs.h"
#include "target/target.h"

/* 0, or why not with the reason. Must be called before other threads exist: it forks. */
int probe_costs_calibrate(struct target_table *table, struct probe_costs *costs,
			  struct process_error *error);

#endif
