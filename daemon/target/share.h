/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each target's share of a table that all of them use, so that a greedy one never starves another's
 * account. Arithmetic alone.
 */
#ifndef MEMWATCH_TARGET_SHARE_H
#define MEMWATCH_TARGET_SHARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Entries that a target may have. A single one gets all but a thirty-second; of several each may
 * take half of what the others leave, so that there is always room for one more. It may be less
 * than the target has: then it gets no more.
 */
uint64_t share_limit(uint64_t capacity, uint64_t used_by_others, size_t target_count);

/*
 * A sampled target that comes near its limit samples less, so that it is never full: whether its
 * interval is to be doubled now. Each time it may then use up another quarter of what is left.
 * *next_used: at which use the next time is; 0 at first.
 */
bool share_is_getting_full(uint64_t limit, uint64_t used, uint64_t *next_used);

#endif
