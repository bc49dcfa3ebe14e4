/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The numbers of the rules in the kernel's map: equal rules of all modules share one, which is free
 * again when the last of them is gone. Pure; the map is the caller's.
 */
#ifndef MEMWATCH_UNWIND_RULE_POOL_H
#define MEMWATCH_UNWIND_RULE_POOL_H

#include "record.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rule_pool;

/* NULL when out of memory. Number 0 always stands for "no rule" and is never given out. */
struct rule_pool *rule_pool_new(void);
void rule_pool_free(struct rule_pool *pool);

/*
 * The number of a rule, counted as used once more; *is_new: nobody used it before. 0 when none is
 * left.
 */
uint16_t rule_pool_take(struct rule_pool *pool, const struct record_unwind_rule *rule,
			bool *is_new);
/* Used once less. */
void rule_pool_give_back(struct rule_pool *pool, uint16_t number);
/* Numbers in use. */
size_t rule_pool_count(const struct rule_pool *pool);

#endif
