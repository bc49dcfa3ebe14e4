/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A tree of frames, as in stack_tree.c, but by all that is known of a frame, and by how stacks end.
 * Each node notes the first site that has it: there, it is shown.
 */
#include "stack_fold.h"

#include "json.h"
#include "text.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define FOLD_NODES_FIRST 1024 /* a power of two, as all later capacities */
/* Frames of one turn of a recursion that is still seen as one. */
#define FOLD_REPEAT_LENGTH_MAX 32

struct fold_node {
	const cJSON *item; /* a frame; a stack's end, or NULL without one, where parent is 0 */
	size_t parent;
	size_t site; /* the first one */
	uint64_t hash;
	size_t next; /* of the same bucket; 0: none */
};

struct stack_fold {
	struct fold_node *nodes; /* the first stands for none */
	size_t *buckets;         /* of each the first node, 0: none */
	size_t count;
	size_t capacity; /* of both */
};

/* ---- The nodes, found by what they hold */

static uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t count)
{
	const unsigned char *byte = bytes;

	/* FNV-1a */
	for (size_t i = 0; i < count; i++)
		hash = (hash ^ byte[i]) * UINT64_C(0x100000001b3);
	return hash;
}

static uint64_t hash_string(uint64_t hash, const char *string)
{
	return string ? hash_bytes(hash, string, strlen(string) + 1) : hash;
}

static uint64_t hash_node(size_t parent, const cJSON *item)
{
	uint64_t hash = hash_bytes(UINT64_C(0xcbf29ce484222325), &parent, sizeof(parent));
	double offset = json_number(item, "offset");

	hash = hash_bytes(hash, &offset, sizeof(offset));
	hash = hash_string(hash, json_string(item, "module"));
	hash = hash_string(hash, json_string(item, "function"));
	hash = hash_string(hash, cJSON_GetStringValue(item));
	return hash ^ hash >> 32;
}

static size_t *fold_bucket(const struct stack_fold *fold, uint64_t hash)
{
	return &fold->buckets[hash & (fold->capacity - 1)];
}

static void fold_link(const struct stack_fold *fold, size_t index)
{
	size_t *bucket = fold_bucket(fold, fold->nodes[index].hash);

	fold->nodes[index].next = *bucket;
	*bucket = index;
}

static void fold_grow(struct stack_fold *fold)
{
	size_t capacity = fold->capacity ? 2 * fold->capacity : FOLD_NODES_FIRST;

	fold->nodes = reallocarray(fold->nodes, capacity, sizeof(*fold->nodes));
	free(fold->buckets);
	fold->buckets = calloc(capacity, sizeof(*fold->buckets));
	if (!fold->nodes || !fold->buckets)
		text_fail_out_of_memory();
	fold->capacity = capacity;
	for (size_t i = 1; i < fold->count; i++)
		fold_link(fold, i);
}

/* The index of that node, made if need be. */
static size_t fold_step(struct stack_fold *fold, size_t parent, const cJSON *item, size_t site)
{
	uint64_t hash = hash_node(parent, item);
	struct fold_node *node;

	for (size_t i = *fold_bucket(fold, hash); i != 0; i = fold->nodes[i].next) {
		node = &fold->nodes[i];
		if (node->hash == hash && node->parent == parent && json_is_same(node->item, item))
			return i;
	}
	if (fold->count == fold->capacity)
		fold_grow(fold);
	fold->nodes[fold->count] = (struct fold_node){
		.item = item,
		.parent = parent,
		.site = site,
		.hash = hash,
	};
	fold_link(fold, fold->count);
	return fold->count++;
}

struct stack_fold *stack_fold_new(void)
{
	struct stack_fold *fold = calloc(1, sizeof(*fold));

	if (!fold)
		text_fail_out_of_memory();
	fold->count = 1;
	fold_grow(fold);
	return fold;
}

void stack_fold_free(struct stack_fold *fold)
{
	if (!fold)
		return;
	free(fold->nodes);
	free(fold->buckets);
	free(fold);
}

/* ---- What a site shares with those before it */

/* Frames of the innermost function with all that is inlined into it: a site says these itself. */
static size_t fold_own_frames(const cJSON *stack)
{
	const cJSON *frame;
	size_t count = 0;

	cJSON_ArrayForEach(frame, stack)
	{
		count++;
		if (!json_is_true(frame, "inlined"))
			break;
	}
	return count;
}

struct stack_shared stack_fold_add(struct stack_fold *fold, const cJSON *site, size_t number)
{
	const cJSON *end = cJSON_GetObjectItemCaseSensitive(site, "stack_end");
	const cJSON *stack = json_child(site, "stack");
	const cJSON *innermost = stack ? stack->child : NULL;
	size_t shareable = (size_t)cJSON_GetArraySize(stack) - fold_own_frames(stack);
	size_t node = fold_step(fold, 0, end, number);
	struct stack_shared shared = {0};
	size_t depth = 0;

	/* Outermost first; the first element's prev is the last one. */
	for (const cJSON *frame = innermost ? innermost->prev : NULL; frame;
	     frame = frame == innermost ? NULL : frame->prev) {
		size_t owner;

		node = fold_step(fold, node, frame, number);
		owner = fold->nodes[node].site;
		depth++;
		if (owner == number || depth > shareable)
			continue;
		/* That site's own stack may go on at an earlier one: one more place to look. */
		if (owner == shared.site || depth - shared.frames >= STACK_FOLD_SAVED_MIN)
			shared = (struct stack_shared){.frames = depth, .site = owner};
	}
	return shared;
}

/* ---- What a stack repeats itself */

static bool repeats_once_more(const cJSON *const *frames, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if (!json_is_same(frames[i], frames[length + i]))
			return false;
	}
	return true;
}

struct stack_repeat stack_repeat_at(const cJSON *const *frames, size_t count)
{
	struct stack_repeat best = {.length = 1};
	/* The line that says so is one as well. */
	size_t saved = STACK_FOLD_SAVED_MIN;

	for (size_t length = 1; length <= FOLD_REPEAT_LENGTH_MAX && 2 * length <= count; length++) {
		size_t times = 0;

		while ((times + 2) * length <= count &&
		       repeats_once_more(frames + times * length, length))
			times++;
		if (times * length > saved) {
			saved = times * length;
			best = (struct stack_repeat){.length = length, .times = times};
		}
	}
	return best;
}
