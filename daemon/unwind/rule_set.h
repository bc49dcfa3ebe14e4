/* SPDX-License-Identifier: Apache-2.0 */
/* The different rules of one table, numbered in the order in which they come. */
#ifndef MEMWATCH_UNWIND_RULE_SET_H
#define MEMWATCH_UNWIND_RULE_SET_H

#include "record.h"

#include <stddef.h>
#include <stdint.h>

/* What one module may bring; libtorch_cpu has 650. */
#define RULE_SET_MAX 8192

struct rule_set {
	struct record_unwind_rule
		*rules; /* at first UNWIND_RULE_NONE and UNWIND_RULE_UNSUPPORTED */
	size_t count;
	uint16_t *buckets; /* number + 1 */
};

/* 0 or -ENOMEM. */
int rule_set_init(struct rule_set *set);
void rule_set_clear(struct rule_set *set);
/* The rule's number; UNWIND_RULE_UNSUPPORTED when there are too many. */
uint16_t rule_set_add(struct rule_set *set, const struct record_unwind_rule *rule);

#endif
