/* SPDX-License-Identifier: Apache-2.0 */
#include "unwind/rule_set.h"

#include "unwind/rule_hash.h"
#include "unwind/table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS (4UL * RULE_SET_MAX) /* a power of two, never even half full */

int rule_set_init(struct rule_set *set)
{
	const struct record_unwind_rule none = {.kind = RECORD_UNWIND_NONE};
	const struct record_unwind_rule unsupported = {.kind = RECORD_UNWIND_UNSUPPORTED};

	*set = (struct rule_set){.rules = calloc(RULE_SET_MAX, sizeof(*set->rules)),
				 .buckets = calloc(BUCKETS, sizeof(*set->buckets))};
	if (!set->rules || !set->buckets) {
		rule_set_clear(set);
		return -ENOMEM;
	}
	rule_set_add(set, &none);
	rule_set_add(set, &unsupported);
	return 0;
}

void rule_set_clear(struct rule_set *set)
{
	free(set->rules);
	free(set->buckets);
	*set = (struct rule_set){0};
}

uint16_t rule_set_add(struct rule_set *set, const struct record_unwind_rule *rule)
{
	uint32_t bucket = rule_hash(rule) & (BUCKETS - 1);

	for (; set->buckets[bucket]; bucket = (bucket + 1) & (BUCKETS - 1)) {
		uint16_t number = (uint16_t)(set->buckets[bucket] - 1);

		if (memcmp(&set->rules[number], rule, sizeof(*rule)) == 0)
			return number;
	}
	if (set->count == RULE_SET_MAX)
		return UNWIND_RULE_UNSUPPORTED;
	set->rules[set->count] = *rule;
	set->buckets[bucket] = (uint16_t)(set->count + 1);
	return (uint16_t)set->count++;
}
