/* SPDX-License-Identifier: Apache-2.0 */
/* What a target may have: its share of the tables, its budget, and how it is sampled. */
#include "probe/rss_profile.h"
#include "target/share.h"
#include "target/table.h"

#include <math.h>
#include <stdlib.h>

/* What the targets of one user have together. */
struct user_use {
	uid_t uid;
	size_t targets;
	uint64_t blocks, sites;
};

struct table_use {
	struct user_use *users;
	size_t user_count;
	uint64_t blocks, sites;
};

static uint64_t blocks_used(const struct record_target_counters *counters)
{
	__s64 blocks = __atomic_load_n(&counters->blocks, __ATOMIC_RELAXED);

	return blocks > 0 ? (uint64_t)blocks : 0;
}

static uint64_t sites_used(const struct record_target_counters *counters)
{
	return __atomic_load_n(&counters->sites, __ATOMIC_RELAXED);
}

static struct user_use *find_user(struct table_use *use, uid_t uid)
{
	for (size_t i = 0; i < use->user_count; i++)
		if (use->users[i].uid == uid)
			return &use->users[i];
	use->users[use->user_count] = (struct user_use){.uid = uid};
	return &use->users[use->user_count++];
}

static void add_up(const struct target_table *table, struct table_use *use)
{
	const struct record_target_counters *counters = probe_object_counters(table->object);
	const struct target *target;
	size_t cursor = 0;

	while ((target = target_next(table, &cursor))) {
		struct user_use *user = find_user(use, target->identity.uid);
		uint64_t blocks = blocks_used(&counters[target->slot]);
		uint64_t sites = sites_used(&counters[target->slot]);

		user->targets++;
		user->blocks += blocks;
		user->sites += sites;
		use->blocks += blocks;
		use->sites += sites;
	}
}

/* Counters are read while they change: the others never have less than nothing. */
static uint64_t without(uint64_t all, uint64_t own)
{
	return all > own ? all - own : 0;
}

void target_table_share(struct target_table *table)
{
	const struct record_target_counters *counters = probe_object_counters(table->object);
	struct record_target_control *controls = probe_object_controls(table->object);
	const struct probe_limits *limits = probe_object_limits(table->object);
	struct table_use use = {.users = calloc(table->slot_count, sizeof(struct user_use))};
	const struct target *target;
	size_t cursor = 0;

	/* Out of memory: the shares stay as they are, a new target has none yet. */
	if (!use.users)
		return;
	add_up(table, &use);
	while ((target = target_next(table, &cursor))) {
		const struct user_use *user = find_user(&use, target->identity.uid);
		const struct record_target_counters *own = &counters[target->slot];
		struct share_use blocks = {.by_other_users = without(use.blocks, user->blocks),
					   .user_count = use.user_count,
					   .by_own_others = without(user->blocks, blocks_used(own)),
					   .own_count = user->targets};
		struct share_use sites = {.by_other_users = without(use.sites, user->sites),
					  .user_count = use.user_count,
					  .by_own_others = without(user->sites, sites_used(own)),
					  .own_count = user->targets};

		__atomic_store_n(&controls[target->slot].blocks_max,
				 share_limit(limits->blocks_max, &blocks), __ATOMIC_RELAXED);
		__atomic_store_n(&controls[target->slot].sites_max,
				 share_limit(limits->sites_max, &sites), __ATOMIC_RELAXED);
	}
	free(use.users);
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

void target_end_rss(struct target_table *table, struct target *target)
{
	rss_profile_leave(probe_object_rss(table->object), target->slot);
	target->rss_refusal = "it cost more than the budget allows, and was ended";
}
