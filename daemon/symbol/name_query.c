/* SPDX-License-Identifier: Apache-2.0 */
#include "symbol/name_query.h"

#include <errno.h>
#include <stdlib.h>

struct name_query *name_query_new(void)
{
	return calloc(1, sizeof(struct name_query));
}

void name_query_free(struct name_query *query)
{
	if (!query)
		return;
	name_set_clear(&query->set);
	free(query->order);
	free(query);
}

int name_query_add(struct name_query *query, struct module *module, uint64_t file_offset)
{
	return name_set_add(&query->set, module, file_offset);
}

const struct named_frame *name_query_find(const struct name_query *query,
					  const struct module *module, uint64_t file_offset)
{
	return name_set_find(&query->set, module, file_offset);
}

static int compare(uint64_t left, uint64_t right)
{
	return left < right ? -1 : left > right;
}

static int compare_frames(const void *a, const void *b)
{
	const struct named_frame *left = *(struct named_frame *const *)a;
	const struct named_frame *right = *(struct named_frame *const *)b;
	int order = compare(module_file_bytes(left->module), module_file_bytes(right->module));

	if (!order)
		order = compare((uintptr_t)left->module, (uintptr_t)right->module);
	return order ? order : compare(left->file_offset, right->file_offset);
}

int name_query_plan(struct name_query *query)
{
	struct name_set *set = &query->set;
	struct named_frame **order = calloc(set->count + 1, sizeof(struct named_frame *));

	if (!order)
		return -ENOMEM;
	free(query->order);
	query->order = order;
	query->order_count = query->next = 0;
	query->round = NAME_ROUND_FUNCTIONS;
	for (size_t i = 0; i < set->count; i++)
		if (set->frames[i].state != SYMBOL_COMPLETE)
			order[query->order_count++] = &set->frames[i];
	query->left = query->order_count;
	qsort(order, query->order_count, sizeof(struct named_frame *), compare_frames);
	return 0;
}

bool name_query_take_step(struct name_query *query, struct name_step *step)
{
	if (query->next == query->order_count && query->round == NAME_ROUND_FUNCTIONS) {
		query->round = NAME_ROUND_REST;
		query->next = 0;
	}
	if (query->next == query->order_count)
		return false;
	step->query = query;
	step->round = query->round;
	step->module = query->order[query->next]->module;
	step->count = 0;
	while (query->next < query->order_count && step->count < NAME_STEP_FRAMES_MAX &&
	       query->order[query->next]->module == step->module) {
		step->file_offsets[step->count] = query->order[query->next]->file_offset;
		step->frames[step->count++] = query->order[query->next++];
	}
	return true;
}

void name_query_end_step(struct name_query *query, const struct name_step *step)
{
	if (step->round == NAME_ROUND_REST)
		query->left -= step->count;
}
