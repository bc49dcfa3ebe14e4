/* SPDX-License-Identifier: Apache-2.0 */
#include "unwind/rule_pool.h"

#include "unwind/rule_hash.h"

#include <stdlib.h>
#include <string.h>

#define BUCKETS 16384 /* a power of two */

struct pooled_rule {
	struct record_unwind_rule rule;
	uint32_t uses; /* 0: free */
	uint16_t next; /* in its bucket, or of those that are free; 0: none */
};

struct rule_pool {
	uint16_t buckets[BUCKETS];
	uint16_t first_free; /* among those that were used before */
	uint32_t used_end;   /* numbers from here on were never used */
	size_t count;
	struct pooled_rule rules[RECORD_UNWIND_RULES_MAX];
};

struct rule_pool *rule_pool_new(void)
{
	struct rule_pool *pool = calloc(1, sizeof(*pool));

	if (pool)
		pool->used_end = 1;
	return pool;
}

void rule_pool_free(struct rule_pool *pool)
{
	free(pool);
}

static uint16_t *bucket_of(struct rule_pool *pool, const struct record_unwind_rule *rule)
{
	return &pool->buckets[rule_hash(rule) & (BUCKETS - 1)];
}

static uint16_t take_free_number(struct rule_pool *pool)
{
	uint16_t number = pool->first_free;

	if (number)
		pool->first_free = pool->rules[number].next;
	else if (pool->used_end < RECORD_UNWIND_RULES_MAX)
		number = (uint16_t)pool->used_end++;
	return number;
}

uint16_t rule_pool_take(struct rule_pool *pool, const struct record_unwind_rule *rule, bool *is_new)
{
	uint16_t *bucket = bucket_of(pool, rule);
	uint16_t number;

	*is_new = false;
	for (number = *bucket; number; number = pool->rules[number].next) {
		if (memcmp(&pool->rules[number].rule, rule, sizeof(*rule)) == 0) {
			pool->rules[number].uses++;
			return number;
		}
	}
	number = take_free_number(pool);
	if (!number)
		return 0;
	pool->rules[number] = (struct pooled_rule){.rule = *rule, .uses = 1, .next = *bucket};
	*bucket = number;
	pool->count++;
	*is_new = true;
	return number;
}

void rule_pool_give_back(struct rule_pool *pool, uint16_t number)
{
	struct pooled_rule *rule = &pool->rules[number];
	uint16_t *link;

	if (!rule->uses || --rule->uses)
		return;
	link = bucket_of(pool, &rule->rule);
	while (*link != number)
		link = &pool->rules[*link].next;
	*link = rule->next;
	rule->next = pool->first_free;
	pool->first_free = number;
	pool->count--;
}

size_t rule_pool_count(const struct rule_pool *pool)
{
	return pool->count;
}
