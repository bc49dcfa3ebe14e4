/* SPDX-License-Identifier: Apache-2.0 */
/* The hash by which equal rules are found. */
#ifndef MEMWATCH_UNWIND_RULE_HASH_H
#define MEMWATCH_UNWIND_RULE_HASH_H

#include "record.h"

#include <stdint.h>
#include <string.h>

/* FNV-1a by words; the struct has no padding. */
static inline uint32_t rule_hash(const struct record_unwind_rule *rule)
{
	uint32_t words[sizeof(*rule) / sizeof(uint32_t)], hash = 2166136261U;

	memcpy(words, rule, sizeof(words));
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		hash = (hash ^ words[i]) * 16777619U;
		hash ^= hash >> 15;
	}
	return hash;
}

#endif
