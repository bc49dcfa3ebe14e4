/* SPDX-License-Identifier: Apache-2.0 */
/* What the probes of a target have cost since the last look, and how long it ran meanwhile. */
#ifndef MEMWATCH_TARGET_METER_H
#define MEMWATCH_TARGET_METER_H

#include "probe/object.h"
#include "target/budget.h"
#include "target/costs.h"

#include <sys/types.h>
#include <time.h>

struct target_meter {
	pid_t pid;
	struct record_target_hits hits; /* as of the last look */
	double wall_seconds, cpu_seconds;
	bool has_cpu_clock;
	double wait_per_cpu; /* seconds that its threads waited for one that they ran */
	double waits_wall_seconds, waits_cpu_seconds, waits_seconds; /* when that was last read */
	clockid_t cpu_clock; /* of the process: all its threads, those that ended too */
};

/* Looks from now on, at hits that are counted from 0. */
void target_meter_begin(struct target_meter *meter, pid_t pid);
/*
 * Fills *look with what happened since the last call. How long its threads waited is only found out
 * where it matters for a budget of share.
 */
void target_meter_read(struct target_meter *meter, const struct probe_object *object, uint32_t slot,
		       const struct probe_costs *costs, bool is_exact, double share,
		       struct budget_look *look);

#endif
