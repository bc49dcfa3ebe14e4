/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Join-based AVL tree (Blelloch, Ferizovic, Sun: "Just Join for Parallel Ordered Sets", 2016): join
 * is the only place that balances. Not a treap or a skip list: the watched process chooses the
 * addresses and their order, so the bound must not rest on luck.
 */
#include "account/range_tree.h"

#include <stddef.h>

static int32_t height(const struct range *tree)
{
	return tree != NULL ? tree->height : 0;
}

static struct range *link_up(struct range *left, struct range *top, struct range *right)
{
	top->left = left;
	top->right = right;
	top->height = 1 + (height(left) > height(right) ? height(left) : height(right));
	return top;
}

/* Links up subtrees whose heights differ by at most two. */
static struct range *balance(struct range *left, struct range *top, struct range *right)
{
	if (left && height(left) > height(right) + 1) {
		struct range *inner = left->right;

		if (height(left->left) >= height(inner))
			return link_up(left->left, left, link_up(inner, top, right));
		left = link_up(left->left, left, inner->left);
		return link_up(left, inner, link_up(inner->right, top, right));
	}
	if (right && height(right) > height(left) + 1) {
		struct range *inner = right->left;

		if (height(right->right) >= height(inner))
			return link_up(link_up(left, top, inner), right, right->right);
		right = link_up(inner->right, right, right->right);
		return link_up(link_up(left, top, inner->left), inner, right);
	}
	return link_up(left, top, right);
}

struct range *range_tree_join(struct range *left, struct range *middle, struct range *right)
{
	if (left && height(left) > height(right) + 1)
		return balance(left->left, left, range_tree_join(left->right, middle, right));
	if (right && height(right) > height(left) + 1)
		return balance(range_tree_join(left, middle, right->left), right, right->right);
	return link_up(left, middle, right);
}

static struct range *take_first(struct range *tree, struct range **first)
{
	struct range *rest;

	if (tree->left == NULL) {
		*first = tree;
		return tree->right;
	}
	rest = take_first(tree->left, first);
	return balance(rest, tree, tree->right);
}

struct range *range_tree_concat(struct range *left, struct range *right)
{
	struct range *first;

	if (right == NULL)
		return left;
	right = take_first(right, &first);
	return range_tree_join(left, first, right);
}

void range_tree_split(struct range *tree, uint64_t address, struct range **below,
		      struct range **above)
{
	struct range *left;
	struct range *right;

	if (tree == NULL) {
		*below = NULL;
		*above = NULL;
		return;
	}
	left = tree->left;
	right = tree->right;
	if (tree->start < address) {
		struct range *inner;

		range_tree_split(right, address, &inner, above);
		*below = range_tree_join(left, tree, inner);
	} else {
		struct range *inner;

		range_tree_split(left, address, below, &inner);
		*above = range_tree_join(inner, tree, right);
	}
}

struct range *range_tree_last_below(struct range *tree, uint64_t address)
{
	struct range *found = NULL;

	while (tree != NULL) {
		if (tree->start < address) {
			found = tree;
			tree = tree->right;
		} else {
			tree = tree->left;
		}
	}
	return found;
}
