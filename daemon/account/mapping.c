/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every operation carves the ranges it touches out of the tree (cutting those that cross its
 * edges), drops or moves them, and joins the rest again: O(log n) and the ranges touched, never the
 * whole table. A mapping cut in pieces stays one object until its last piece has gone.
 *
 * The nodes for the cuts are set aside before the first change, so that an operation either happens
 * as a whole or, out of memory, not at all.
 */
#include "account/mapping.h"
#include "account/range_tree.h"

#include <errno.h>
#include <stdlib.h>

#define PAGE_BYTES UINT64_C(4096)

/* The most that one takes, mremap: five cuts, a grown part, what MREMAP_DONTUNMAP leaves behind. */
#define NODES_PER_OPERATION 7

/* What one mmap made. Shared by its pieces. */
struct mapping_object {
	uint32_t site;
	uint32_t generation; /* of its birth; a part that mremap added later has its own */
	size_t pieces;
};

struct mapping_table {
	struct range *ranges;
	struct range *spare; /* linked by right */
	size_t spare_count;
	size_t range_count;
	size_t ranges_max;
	uint64_t bytes;
	mapping_change_fn on_change;
	void *context;
};

/* ---- nodes */

static int reserve_nodes(struct mapping_table *table)
{
	while (table->spare_count < NODES_PER_OPERATION) {
		struct range *range = calloc(1, sizeof(*range));

		if (range == NULL)
			return -ENOMEM;
		range->right = table->spare;
		table->spare = range;
		table->spare_count++;
	}
	return 0;
}

/* Never fails after reserve_nodes(), NODES_PER_OPERATION times. */
static struct range *take_node(struct mapping_table *table, uint64_t start, uint64_t end,
			       struct mapping_object *object, uint32_t generation)
{
	struct range *range = table->spare;

	table->spare = range->right;
	table->spare_count--;
	*range = (struct range){
		.start = start, .end = end, .object = object, .generation = generation};
	object->pieces++;
	table->range_count++;
	return range;
}

static void put_node(struct mapping_table *table, struct range *range)
{
	table->range_count--;
	if (table->spare_count >= NODES_PER_OPERATION) {
		free(range);
		return;
	}
	range->right = table->spare;
	table->spare = range;
	table->spare_count++;
}

/* ---- what is outstanding */

static void report(struct mapping_table *table, const struct mapping_object *object,
		   uint32_t generation, int64_t bytes, int objects)
{
	table->bytes += (uint64_t)bytes;
	table->on_change(table->context, object->site, generation, bytes, objects);
}

/* Reports a piece as gone and lets go of it. */
static void drop_piece(struct mapping_table *table, struct range *range)
{
	struct mapping_object *object = range->object;
	int64_t bytes = (int64_t)(range->end - range->start);
	uint32_t generation = range->generation;

	put_node(table, range);
	if (--object->pieces > 0) {
		report(table, object, generation, -bytes, 0);
		return;
	}
	if (generation == object->generation) {
		report(table, object, generation, -bytes, -1);
	} else {
		/* The object goes from the generation to which it was added. */
		report(table, object, generation, -bytes, 0);
		report(table, object, object->generation, 0, -1);
	}
	free(object);
}

static void drop_tree(struct mapping_table *table, struct range *tree)
{
	if (tree == NULL)
		return;

	struct range *left = tree->left;
	struct range *right = tree->right;

	drop_tree(table, left);
	drop_piece(table, tree);
	drop_tree(table, right);
}

static void shift_tree(struct range *tree, uint64_t distance)
{
	if (tree == NULL)
		return;
	tree->start += distance; /* modulo 2^64: backwards as well */
	tree->end += distance;
	shift_tree(tree->left, distance);
	shift_tree(tree->right, distance);
}

/* ---- taking apart and putting together */

/* Makes address an edge: a range that crosses it becomes two pieces. */
static void cut(struct mapping_table *table, uint64_t address)
{
	struct range *range = range_tree_last_below(table->ranges, address);
	struct range *below;
	struct range *above;
	struct range *rest;

	if (range == NULL || range->end <= address)
		return;
	rest = take_node(table, address, range->end, range->object, range->generation);
	range->end = address;
	range_tree_split(table->ranges, address, &below, &above);
	table->ranges = range_tree_join(below, rest, above);
}

/* Takes out what lies in [start, end). */
static struct range *carve(struct mapping_table *table, uint64_t start, uint64_t end)
{
	struct range *below;
	struct range *inside;
	struct range *above;

	cut(table, start);
	cut(table, end);
	range_tree_split(table->ranges, start, &below, &above);
	range_tree_split(above, end, &inside, &above);
	table->ranges = range_tree_concat(below, above);
	return inside;
}

/* Puts a tree into a place where nothing is. */
static void insert_tree(struct mapping_table *table, struct range *tree, uint64_t address)
{
	struct range *below;
	struct range *above;

	range_tree_split(table->ranges, address, &below, &above);
	table->ranges = range_tree_concat(range_tree_concat(below, tree), above);
}

static void drop_range(struct mapping_table *table, uint64_t start, uint64_t end)
{
	drop_tree(table, carve(table, start, end));
}

/*
 * Cutting may leave more ranges than allowed, one for each edge that it made. Then the pieces that
 * begin at these edges are given up and reported as gone: too little outstanding is a counted loss,
 * too much would be a false leak.
 */
static int drop_excess(struct mapping_table *table, const uint64_t *edges, size_t edge_count)
{
	if (table->range_count <= table->ranges_max)
		return 0;
	for (size_t i = 0; i < edge_count && table->range_count > table->ranges_max; i++) {
		struct range *range = range_tree_last_below(table->ranges, edges[i] + 1);

		if (range != NULL && range->start == edges[i])
			drop_range(table, range->start, range->end);
	}
	return -ENOSPC;
}

/* ---- operations */

/* The whole pages of a range. The last page of the address space has no end that fits 64 bits; no
 * kernel gives it to a process. */
static int check_range(uint64_t address, uint64_t length_bytes, uint64_t *end)
{
	uint64_t length = (length_bytes + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1);

	if (length_bytes == 0 || length < length_bytes || address % PAGE_BYTES != 0)
		return -EINVAL;
	return __builtin_add_overflow(address, length, end) ? -EINVAL : 0;
}

/* A piece of object where nothing is. */
static int add_piece(struct mapping_table *table, uint64_t start, uint64_t end,
		     struct mapping_object *object, uint32_t generation)
{
	struct range *range;

	if (table->range_count >= table->ranges_max)
		return -ENOSPC;
	range = take_node(table, start, end, object, generation);
	insert_tree(table, range_tree_join(NULL, range, NULL), start);
	return 0;
}

/* A new mapping where nothing is. */
static int add_object(struct mapping_table *table, uint64_t start, uint64_t end, uint32_t site,
		      uint32_t generation)
{
	struct mapping_object *object = malloc(sizeof(*object));
	int err;

	if (object == NULL)
		return -ENOMEM;
	*object = (struct mapping_object){.site = site, .generation = generation};
	err = add_piece(table, start, end, object, generation);
	if (err != 0)
		free(object);
	else
		report(table, object, generation, (int64_t)(end - start), 1);
	return err;
}

struct mapping_table *mapping_table_new(size_t ranges_max, mapping_change_fn on_change,
					void *context)
{
	struct mapping_table *table = calloc(1, sizeof(*table));

	if (table == NULL)
		return NULL;
	table->ranges_max = ranges_max;
	table->on_change = on_change;
	table->context = context;
	return table;
}

static void free_tree(struct range *tree)
{
	if (tree == NULL)
		return;
	free_tree(tree->left);
	free_tree(tree->right);
	if (--tree->object->pieces == 0)
		free(tree->object);
	free(tree);
}

void mapping_table_free(struct mapping_table *table)
{
	if (table == NULL)
		return;
	free_tree(table->ranges);
	while (table->spare != NULL) {
		struct range *range = table->spare;

		table->spare = range->right;
		free(range);
	}
	free(table);
}

int mapping_table_map(struct mapping_table *table, uint64_t address, uint64_t length_bytes,
		      uint32_t site, uint32_t generation)
{
	uint64_t end;
	int err = check_range(address, length_bytes, &end);
	int excess;

	if (err != 0)
		return err;
	err = reserve_nodes(table);
	if (err != 0)
		return err;
	drop_range(table, address, end);
	excess = drop_excess(table, &end, 1);
	err = add_object(table, address, end, site, generation);
	return err != 0 ? err : excess;
}

int mapping_table_unmap(struct mapping_table *table, uint64_t address, uint64_t length_bytes)
{
	uint64_t end;
	int err = check_range(address, length_bytes, &end);

	if (err != 0)
		return err;
	err = reserve_nodes(table);
	if (err != 0)
		return err;
	drop_range(table, address, end);
	return drop_excess(table, &end, 1);
}

/* The part [start, end) that mremap added behind last, the last piece known of the mapping. */
static int grow(struct mapping_table *table, struct range *last, uint64_t start, uint64_t end,
		uint32_t generation)
{
	struct mapping_object *object = last->object;
	int err = 0;

	/* A buffer grown step by step must not cost a range for each step. */
	if (last->end == start && last->generation == generation)
		last->end = end;
	else
		err = add_piece(table, start, end, object, generation);
	if (err == 0)
		report(table, object, generation, (int64_t)(end - start), 0);
	return err;
}

/* Moves [old, old_end) to [start, end); everything is checked and the nodes are reserved. */
static int move(struct mapping_table *table, uint64_t old, uint64_t old_end, uint64_t start,
		uint64_t end, bool keeps_old, uint32_t site, uint32_t generation)
{
	uint64_t kept_bytes = old_end - old < end - start ? old_end - old : end - start;
	const uint64_t edges[] = {old_end, end, start};
	struct range *moved;
	int err = 0;
	int excess;

	if (old + kept_bytes < old_end)
		drop_range(table, old + kept_bytes, old_end);
	moved = carve(table, old, old + kept_bytes);
	drop_range(table, start, end);
	shift_tree(moved, start - old);
	insert_tree(table, moved, start);
	if (moved != NULL && kept_bytes < end - start)
		err = grow(table, range_tree_last_below(table->ranges, start + kept_bytes),
			   start + kept_bytes, end, generation);
	/* The old addresses stay mapped, empty: a mapping that this call made. */
	if (moved != NULL && keeps_old && err == 0)
		err = add_object(table, old, old + kept_bytes, site, generation);
	excess = drop_excess(table, edges, sizeof(edges) / sizeof(edges[0]));
	return err != 0 ? err : excess;
}

int mapping_table_remap(struct mapping_table *table, uint64_t old_address,
			uint64_t old_length_bytes, uint64_t address, uint64_t length_bytes,
			bool keeps_old, uint32_t site, uint32_t generation)
{
	uint64_t old_end;
	uint64_t end;
	int err;

	/* The second mapping of shared memory that mremap(2) makes of an old length of 0. */
	if (old_length_bytes == 0)
		return mapping_table_map(table, address, length_bytes, site, generation);
	err = check_range(old_address, old_length_bytes, &old_end);
	if (err == 0)
		err = check_range(address, length_bytes, &end);
	/* No kernel keeps the old range and lets the new one overlap it. */
	if (err == 0 && keeps_old && address < old_end && old_address < end)
		err = -EINVAL;
	if (err == 0)
		err = reserve_nodes(table);
	if (err != 0)
		return err;
	return move(table, old_address, old_end, address, end, keeps_old, site, generation);
}

void mapping_table_intersect(struct mapping_table *table, const struct mapping_range *ranges,
			     size_t range_count)
{
	uint64_t gap = 0;

	for (size_t i = 0; i <= range_count; i++) {
		uint64_t gap_end = i < range_count ? ranges[i].start : UINT64_MAX;

		/* Out of memory: what is left is as stale as before the call. */
		if (reserve_nodes(table) != 0)
			return;
		if (gap < gap_end) {
			drop_range(table, gap, gap_end);
			drop_excess(table, &gap_end, 1);
		}
		if (i < range_count && ranges[i].end > gap)
			gap = ranges[i].end;
	}
}

size_t mapping_table_count(const struct mapping_table *table)
{
	return table->range_count;
}

uint64_t mapping_table_bytes(const struct mapping_table *table)
{
	return table->bytes;
}
