/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Disjoint address ranges in order of address: an AVL tree that is taken apart and put together by
 * splitting and joining, each in O(log n) and at most some 1.44 log2(n) calls deep. The caller owns
 * the nodes; the tree only links them.
 */
#ifndef MEMWATCH_ACCOUNT_RANGE_TREE_H
#define MEMWATCH_ACCOUNT_RANGE_TREE_H

#include <stdint.h>

struct mapping_object;

/* [start, end). Everything but the links is the caller's. */
struct range {
	uint64_t start;
	uint64_t end;
	struct mapping_object *object;
	struct range *left;
	struct range *right;
	uint32_t generation;
	int32_t height;
};

/* All of left lies below middle, all of right above it; left and right may be NULL. Returns the
 * whole. */
struct range *range_tree_join(struct range *left, struct range *middle, struct range *right);
/* All of left lies below right; either may be NULL. */
struct range *range_tree_concat(struct range *left, struct range *right);
/* Into what starts below address and what starts at or above it. */
void range_tree_split(struct range *tree, uint64_t address, struct range **below,
		      struct range **above);
/* The last range that starts below address, or NULL. */
struct range *range_tree_last_below(struct range *tree, uint64_t address);

#endif
