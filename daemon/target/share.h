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

/* Who else uses the table. */
struct share_use {
	uint64_t by_other_users; /* entries of the processes of other users */
	size_t user_count;       /* whose processes are targets */
	uint64_t by_own_others;  /* entries of the same user's other targets */
	size_t own_count;        /* targets of that user */
};

/*
 * Entries that a target may have. A single one gets all but a thirty-second, which is there for the
 * next one. Of several users each may have half of what the others leave, and of several targets of
 * one user each half of what the others leave of that: there is always room for one more. It may be
 * less than the target has: then it gets no more.
 */
uint64_t share_limit(uint64_t capacity, const struct share_use *use);

/*
 * A sampled target that comes near its limit samples less, so that it is never full: whether its
 * interval is to be doubled now. Each time it may then use up another quarter of what is left.
 * *next_used: at which use the next time is; 0 at first.
 */
bool share_is_getting_full(uint64_t limit, uint64_t used, uint64_t *next_used);

#endif
