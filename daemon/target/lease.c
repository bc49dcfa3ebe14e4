/* SPDX-License-Identifier: Apache-2.0 */
/* Who holds a target: observers for a time, a command for good. */
#include "target/table.h"

static bool target_is_held(const struct target *target)
{
	return target->is_persistent || target_lease_count(target) > 0;
}

uint64_t target_lease(struct target_table *table, struct target *target, uint64_t lease_id,
		      double seconds, double now_seconds)
{
	struct target_lease *chosen = NULL;

	for (size_t i = 0; i < TARGET_LEASES_MAX; i++) {
		struct target_lease *lease = &target->leases[i];

		if (lease_id && lease->id == lease_id) {
			chosen = lease;
			break;
		}
		if (!chosen && !lease->id)
			chosen = lease;
	}
	if (!chosen)
		return 0;
	if (!chosen->id)
		chosen->id = ++table->last_lease_id;
	chosen->expires_seconds = now_seconds + seconds;
	return chosen->id;
}

bool target_release(struct target *target, uint64_t lease_id)
{
	if (!lease_id)
		target->is_persistent = false;
	for (size_t i = 0; i < TARGET_LEASES_MAX; i++)
		if (!lease_id || target->leases[i].id == lease_id)
			target->leases[i].id = 0;
	return target_is_held(target);
}

bool target_expire_leases(struct target *target, double now_seconds)
{
	for (size_t i = 0; i < TARGET_LEASES_MAX; i++)
		if (target->leases[i].id && target->leases[i].expires_seconds <= now_seconds)
			target->leases[i].id = 0;
	return target_is_held(target);
}

uint32_t target_lease_count(const struct target *target)
{
	uint32_t count = 0;

	for (size_t i = 0; i < TARGET_LEASES_MAX; i++)
		count += target->leases[i].id != 0;
	return count;
}
