/* SPDX-License-Identifier: Apache-2.0 */
/* What a target may have: its share of the tables, its budget, and how it is sampled. */
#include "target/share.h"
#include "target/table.h"

#include <math.h>

/* A table's entries of one target, as its probes count them. */
static uint64_t blocks_used(const struct record_target_counters *counters)
{
	__s64 blocks = __atomic_load_n(&counters->blocks, __ATOMIC_RELAXED);

	return blocks > 0 ? (uint64_t)blocks : 0;
}

static uint64_t sites_used(const struct record_target_counters *counters)
{
	return __atomic_load_n(&counters->sites, __ATOMIC_RELAXED);
}

void target_table_share(struct target_table *table)
{
	const struct record_target_counters *counters = probe_object_counters(table->object);
	struct record_target_control *controls = probe_object_controls(table->object);
	const struct probe_limits *limits = probe_object_limits(table->object);
	uint64_t blocks = 0, sites = 0;
	const struct target *target;
	size_t count = 0, cursor;

	for (cursor = 0; (target = target_next(table, &cursor)); count++) {
		blocks += blocks_used(&counters[target->slot]);
		sites += sites_used(&counters[target->slot]);
	}
	for (cursor = 0; (target = target_next(table, &cursor));) {
		const struct record_target_counters *own = &counters[target->slot];
		struct record_target_control *control = &controls[target->slot];
		uint64_t own_blocks = blocks_used(own), own_sites = sites_used(own);

		/* They are read while they change: others never have less than nothing. */
		__atomic_store_n(&control->blocks_max,
				 share_limit(limits->blocks_max,
					     blocks > own_blocks ? blocks - own_blocks : 0, count),
				 __ATOMIC_RELAXED);
		__atomic_store_n(&control->sites_max,
				 share_limit(limits->sites_max,
					     sites > own_sites ? sites - own_sites : 0, count),
				 __ATOMIC_RELAXED);
	}
}

void target_set_lease_budget(struct target *target, uint64_t lease_id, double share)
{
	for (size_t i = 0; i < TARGET_LEASES_MAX; i++)
		if (target->leases[i].id == lease_id)
			target->leases[i].budget_share = share;
}

double target_budget_share(const struct target *target)
{
	double share = target->is_persistent ? target->persistent_budget_share : 0;

	for (size_t i = 0; i < TARGET_LEASES_MAX; i++)
		if (target->leases[i].id)
			share = fmax(share, target->leases[i].budget_share);
	return share;
}

void target_raise_interval(struct target_table *table, struct target *target,
			   uint64_t interval_bytes)
{
	target->sampling_interval_bytes = interval_bytes;
	target->interval_raises++;
	__atomic_store_n(
		&probe_object_controls(table->object)[target->slot].sampling_interval_bytes,
		interval_bytes, __ATOMIC_RELAXED);
}
