/* SPDX-License-Identifier: Apache-2.0 */
#include "symbol/code_ranges.h"

#include <errno.h>
#include <stdlib.h>

/* What is gone and kept: a bound for processes that load and unload code without end. */
#define RETAINED_MAX 1024

bool mapped_file_id_is_same(const struct mapped_file_id *a, const struct mapped_file_id *b)
{
	return a->inode == b->inode && a->device_major == b->device_major &&
	       a->device_minor == b->device_minor;
}

/* Makes room for one more element. */
static int reserve(void **array, size_t element_bytes, size_t count, size_t *capacity)
{
	size_t wanted = *capacity ? *capacity * 2 : 32;
	void *grown;

	if (count < *capacity)
		return 0;
	grown = realloc(*array, wanted * element_bytes);
	if (!grown)
		return -ENOMEM;
	*array = grown;
	*capacity = wanted;
	return 0;
}

int code_ranges_add(struct code_ranges *ranges, const struct code_range *range)
{
	if (reserve((void **)&ranges->items, sizeof(*ranges->items), ranges->count,
		    &ranges->capacity))
		return -ENOMEM;
	ranges->items[ranges->count++] = *range;
	return 0;
}

void code_ranges_clear(struct code_ranges *ranges)
{
	free(ranges->items);
	*ranges = (struct code_ranges){0};
}

int mapped_spans_add(struct mapped_spans *spans, uint64_t start, uint64_t end)
{
	if (spans->count && spans->items[spans->count - 1].end == start) {
		spans->items[spans->count - 1].end = end;
		return 0;
	}
	if (reserve((void **)&spans->items, sizeof(*spans->items), spans->count, &spans->capacity))
		return -ENOMEM;
	spans->items[spans->count++] = (struct mapped_span){.start = start, .end = end};
	return 0;
}

void mapped_spans_clear(struct mapped_spans *spans)
{
	free(spans->items);
	*spans = (struct mapped_spans){0};
}

/* Both lists are sorted: *first_span only moves on. */
static int retain_uncovered(struct code_ranges *ranges, const struct code_range *old,
			    const struct mapped_spans *spans, size_t *first_span)
{
	struct code_range piece = *old;
	int error = 0;

	while (*first_span < spans->count && spans->items[*first_span].end <= old->start)
		(*first_span)++;
	for (size_t i = *first_span; i < spans->count && spans->items[i].start < old->end; i++) {
		piece.end = spans->items[i].start;
		if (piece.start < piece.end)
			error = code_ranges_add(ranges, &piece);
		if (error)
			return error;
		piece.file_offset += spans->items[i].end - piece.start;
		piece.start = spans->items[i].end;
	}
	piece.end = old->end;
	return piece.start < piece.end ? code_ranges_add(ranges, &piece) : 0;
}

static int compare_last_seen(const void *left, const void *right)
{
	const struct code_range *a = left, *b = right;

	return a->last_seen < b->last_seen ? 1 : a->last_seen > b->last_seen ? -1 : 0;
}

static int compare_start(const void *left, const void *right)
{
	const struct code_range *a = left, *b = right;

	return a->start < b->start ? -1 : a->start > b->start;
}

static int retain_gone(struct code_ranges *ranges, const struct code_ranges *old,
		       const struct mapped_spans *spans)
{
	size_t first_span = 0;
	int error = 0;

	for (size_t i = 0; i < old->count && !error; i++)
		error = retain_uncovered(ranges, &old->items[i], spans, &first_span);
	if (ranges->count > RETAINED_MAX) {
		qsort(ranges->items, ranges->count, sizeof(*ranges->items), compare_last_seen);
		ranges->count = RETAINED_MAX;
	}
	return error;
}

/* The maps file is read in pieces, between which the process may change what was read. */
static void drop_overlaps(struct code_ranges *ranges)
{
	size_t kept = 0;

	for (size_t i = 0; i < ranges->count; i++)
		if (!kept || ranges->items[i].start >= ranges->items[kept - 1].end)
			ranges->items[kept++] = ranges->items[i];
	ranges->count = kept;
}

int code_ranges_merge(struct code_ranges *ranges, const struct code_ranges *found,
		      const struct mapped_spans *spans)
{
	struct code_ranges merged = {0};
	int error;

	error = retain_gone(&merged, ranges, spans);
	for (size_t i = 0; i < found->count && !error; i++)
		error = code_ranges_add(&merged, &found->items[i]);
	if (error) {
		code_ranges_clear(&merged);
		return error;
	}
	if (merged.count)
		qsort(merged.items, merged.count, sizeof(*merged.items), compare_start);
	drop_overlaps(&merged);
	code_ranges_clear(ranges);
	*ranges = merged;
	return 0;
}

const struct code_range *code_ranges_find(const struct code_ranges *ranges, uint64_t address)
{
	size_t low = 0, high = ranges->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (ranges->items[middle].end <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low < ranges->count && ranges->items[low].start <= address ? &ranges->items[low]
									  : NULL;
}
