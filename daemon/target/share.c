/* SPDX-License-Identifier: Apache-2.0 */
#include "target/share.h"

static uint64_t half_of_what_is_left(uint64_t capacity, uint64_t used)
{
	return used < capacity ? (capacity - used) / 2 : 0;
}

uint64_t share_limit(uint64_t capacity, const struct share_use *use)
{
	if (use->user_count <= 1 && use->own_count <= 1)
		return capacity - capacity / 32;
	if (use->user_count > 1)
		capacity = half_of_what_is_left(capacity, use->by_other_users);
	if (use->own_count > 1)
		capacity = half_of_what_is_left(capacity, use->by_own_others);
	return capacity;
}

bool share_is_getting_full(uint64_t limit, uint64_t used, uint64_t *next_used)
{
	/* Another program, or one that has freed what it held. */
	if (used <= limit / 2)
		*next_used = 0;
	if (used <= limit - limit / 4 || used < *next_used)
		return false;
	*next_used = used + (used < limit ? (limit - used + 3) / 4 : 1);
	return true;
}
