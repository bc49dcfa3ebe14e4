/* SPDX-License-Identifier: Apache-2.0 */
#include "target/share.h"

uint64_t share_limit(uint64_t capacity, uint64_t used_by_others, size_t target_count)
{
	uint64_t usable = capacity - capacity / 32;

	if (target_count <= 1)
		return usable;
	return used_by_others < usable ? (usable - used_by_others) / 2 : 0;
}

bool share_is_getting_full(uint64_t limit, uint64_t used, uint64_t *next_used)
{
	if (used <= limit - limit / 4 || used < *next_used)
		return false;
	*next_used = used + (used < limit ? (limit - used + 3) / 4 : 1);
	return true;
}
