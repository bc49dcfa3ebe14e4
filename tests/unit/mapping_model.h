/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The naive model of a mapping table: one entry per page of a small window of addresses, and what
 * the table's callbacks add up to. Shared by the property test and the fuzz target.
 */
#ifndef MEMWATCH_TESTS_MAPPING_MODEL_H
#define MEMWATCH_TESTS_MAPPING_MODEL_H

#include "account/mapping.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MODEL_PAGE_BYTES UINT64_C(4096)

enum {
	MODEL_PAGES = 96,
	MODEL_SITES = 4,
	MODEL_GENERATIONS = 4,
	MODEL_OBJECTS_MAX = 4 * MODEL_PAGES,
};

struct model_page {
	int object; /* index + 1; 0: nothing is known of this page */
	uint32_t generation;
};

struct model_object {
	uint32_t site;
	uint32_t generation;
	int pages;
};

struct model_sums {
	int64_t bytes[MODEL_SITES][MODEL_GENERATIONS];
	int objects[MODEL_SITES][MODEL_GENERATIONS];
};

struct model {
	uint64_t base; /* address of the first page */
	struct model_page pages[MODEL_PAGES];
	struct model_object objects[MODEL_OBJECTS_MAX];
	struct model_sums reported; /* by the table */
};

/* An operation on pages [at, at + pages), and for remap to [to, to + to_pages). */
struct model_operation {
	enum { MODEL_MAP, MODEL_UNMAP, MODEL_REMAP, MODEL_KEEP, MODEL_INTERSECT } kind;
	unsigned int at, pages, to, to_pages;
	uint32_t site, generation;
};

#define MODEL_REQUIRE(condition)                                                                 \
	do {                                                                                     \
		if (!(condition)) {                                                              \
			fprintf(stderr, "%s:%d: %s is false\n", __FILE__, __LINE__, #condition); \
			abort();                                                                 \
		}                                                                                \
	} while (0)

static inline void model_on_change(void *context, uint32_t site, uint32_t generation, int64_t bytes,
				   int objects)
{
	struct model *model = context;

	MODEL_REQUIRE(site < MODEL_SITES && generation < MODEL_GENERATIONS);
	MODEL_REQUIRE(objects >= -1 && objects <= 1);
	MODEL_REQUIRE(bytes != 0 || objects != 0);
	model->reported.bytes[site][generation] += bytes;
	model->reported.objects[site][generation] += objects;
	MODEL_REQUIRE(model->reported.bytes[site][generation] >= 0);
	MODEL_REQUIRE(model->reported.objects[site][generation] >= 0);
}

static inline void model_clear(struct model *model, unsigned int from, unsigned int to)
{
	for (unsigned int page = from; page < to; page++) {
		if (model->pages[page].object != 0)
			model->objects[model->pages[page].object - 1].pages--;
		model->pages[page] = (struct model_page){0};
	}
}

static inline void model_put(struct model *model, unsigned int page, struct model_page value)
{
	model_clear(model, page, page + 1);
	model->pages[page] = value;
	if (value.object != 0)
		model->objects[value.object - 1].pages++;
}

static inline void model_map(struct model *model, unsigned int at, unsigned int pages,
			     uint32_t site, uint32_t generation)
{
	int object = 0;

	model_clear(model, at, at + pages);
	while (model->objects[object].pages != 0)
		object++;
	model->objects[object] = (struct model_object){site, generation, 0};
	for (unsigned int page = at; page < at + pages; page++)
		model_put(model, page, (struct model_page){object + 1, generation});
}

static inline void model_remap(struct model *model, const struct model_operation *op)
{
	struct model_page old[MODEL_PAGES];
	struct model_page last = {0};
	bool keeps_old = op->kind == MODEL_KEEP;

	if (op->pages == 0) {
		model_map(model, op->to, op->to_pages, op->site, op->generation);
		return;
	}
	memcpy(old, model->pages + op->at, op->pages * sizeof(old[0]));
	/* The objects must outlive the moment between the two places. */
	for (unsigned int i = 0; i < op->pages && i < op->to_pages; i++) {
		if (old[i].object != 0) {
			last = old[i];
			model->objects[old[i].object - 1].pages++;
		}
	}
	model_clear(model, op->at, op->at + op->pages);
	model_clear(model, op->to, op->to + op->to_pages);
	for (unsigned int i = 0; i < op->to_pages; i++) {
		if (i < op->pages)
			model_put(model, op->to + i, old[i]);
		else if (last.object != 0)
			model_put(model, op->to + i,
				  (struct model_page){last.object, op->generation});
	}
	for (unsigned int i = 0; i < op->pages && i < op->to_pages; i++)
		if (old[i].object != 0)
			model->objects[old[i].object - 1].pages--;
	if (keeps_old && last.object != 0)
		model_map(model, op->at, op->pages < op->to_pages ? op->pages : op->to_pages,
			  op->site, op->generation);
}

/* Keeps [at, at + pages) and [to, to + to_pages). */
static inline void model_intersect(struct model *model, const struct model_operation *op)
{
	for (unsigned int page = 0; page < MODEL_PAGES; page++) {
		bool kept = (page >= op->at && page < op->at + op->pages) ||
			    (page >= op->to && page < op->to + op->to_pages);

		if (!kept)
			model_clear(model, page, page + 1);
	}
}

static inline bool model_overlaps(const struct model_operation *op)
{
	return op->at < op->to + op->to_pages && op->to < op->at + op->pages;
}

/* Makes any numbers an operation that a kernel could report. */
static inline void model_normalize(struct model_operation *op)
{
	op->at %= MODEL_PAGES;
	op->to %= MODEL_PAGES;
	op->pages = op->pages % (MODEL_PAGES - op->at) + 1;
	op->to_pages = op->to_pages % (MODEL_PAGES - op->to) + 1;
	op->site %= MODEL_SITES;
	op->generation %= MODEL_GENERATIONS;
	if (op->kind == MODEL_KEEP && model_overlaps(op))
		op->kind = MODEL_REMAP;
	/* In place, or else apart from the old range. */
	if (op->kind == MODEL_REMAP && model_overlaps(op)) {
		op->to = op->at;
		if (op->to_pages > MODEL_PAGES - op->to)
			op->to_pages = MODEL_PAGES - op->to;
	}
}

static inline int model_run_on_table(const struct model *model, struct mapping_table *table,
				     const struct model_operation *op)
{
	uint64_t at = model->base + op->at * MODEL_PAGE_BYTES;
	uint64_t to = model->base + op->to * MODEL_PAGE_BYTES;
	uint64_t length = op->pages * MODEL_PAGE_BYTES;
	uint64_t to_length = op->to_pages * MODEL_PAGE_BYTES;
	struct mapping_range kept[2] = {{at, at + length}, {to, to + to_length}};

	switch (op->kind) {
	case MODEL_MAP:
		/* Not a whole number of pages: rounded up. */
		return mapping_table_map(table, at, length - op->site, op->site, op->generation);
	case MODEL_UNMAP:
		return mapping_table_unmap(table, at, length - op->site);
	case MODEL_REMAP:
	case MODEL_KEEP:
		return mapping_table_remap(table, at, length, to, to_length, op->kind == MODEL_KEEP,
					   op->site, op->generation);
	case MODEL_INTERSECT:
		if (to < at) {
			kept[0] = (struct mapping_range){to, to + to_length};
			kept[1] = (struct mapping_range){at, at + length};
		}
		mapping_table_intersect(table, kept, 2);
		return 0;
	}
	return -EINVAL;
}

/* Runs op on both. */
static inline int model_run(struct model *model, struct mapping_table *table,
			    const struct model_operation *op)
{
	switch (op->kind) {
	case MODEL_MAP:
		model_map(model, op->at, op->pages, op->site, op->generation);
		break;
	case MODEL_UNMAP:
		model_clear(model, op->at, op->at + op->pages);
		break;
	case MODEL_REMAP:
	case MODEL_KEEP:
		model_remap(model, op);
		break;
	case MODEL_INTERSECT:
		model_intersect(model, op);
		break;
	}
	return model_run_on_table(model, table, op);
}

static inline void model_sum(const struct model *model, struct model_sums *sums)
{
	memset(sums, 0, sizeof(*sums));
	for (unsigned int page = 0; page < MODEL_PAGES; page++) {
		const struct model_page *entry = &model->pages[page];

		if (entry->object != 0)
			sums->bytes[model->objects[entry->object - 1].site][entry->generation] +=
				(int64_t)MODEL_PAGE_BYTES;
	}
	for (int object = 0; object < MODEL_OBJECTS_MAX; object++)
		if (model->objects[object].pages != 0)
			sums->objects[model->objects[object].site]
				     [model->objects[object].generation]++;
}

/*
 * The table says what the model says. is_partial: it was full before; then it may know less, and
 * may take a grown part for its neighbour's, but never holds more bytes.
 */
static inline void model_check(const struct model *model, const struct mapping_table *table,
			       bool is_partial)
{
	struct model_sums expected;
	int64_t expected_bytes = 0;
	int64_t bytes = 0;

	model_sum(model, &expected);
	for (int site = 0; site < MODEL_SITES; site++) {
		for (int generation = 0; generation < MODEL_GENERATIONS; generation++) {
			bytes += model->reported.bytes[site][generation];
			expected_bytes += expected.bytes[site][generation];
		}
	}
	MODEL_REQUIRE(bytes <= expected_bytes);
	MODEL_REQUIRE(is_partial || memcmp(&model->reported, &expected, sizeof(expected)) == 0);
	MODEL_REQUIRE(mapping_table_bytes(table) == (uint64_t)bytes);
	MODEL_REQUIRE((mapping_table_count(table) == 0) == (bytes == 0));
}

#endif
