/* SPDX-License-Identifier: Apache-2.0 */
#include "symbol/unit_ranges.h"

#include <errno.h>
#include <stdlib.h>

#define OVERLAP_MAX 16

/* Functions of one unit lie next to each other, but for padding: they share a range. */
#define PADDING_MAX_BYTES 64

static int grow(struct unit_ranges *ranges)
{
	size_t capacity = ranges->capacity ? ranges->capacity * 2 : 64;
	void *items = realloc(ranges->items, capacity * sizeof(*ranges->items));

	if (!items)
		return -ENOMEM;
	ranges->items = items;
	ranges->capacity = capacity;
	return 0;
}

static bool extend_last(struct unit_ranges *ranges, uint64_t start, uint64_t end, uint32_t unit)
{
	struct unit_range *last = ranges->count ? &ranges->items[ranges->count - 1] : NULL;

	if (!last || last->unit != unit || start < last->start + last->bytes ||
	    start - (last->start + last->bytes) > PADDING_MAX_BYTES ||
	    end - last->start > UINT32_MAX)
		return false;
	last->bytes = (uint32_t)(end - last->start);
	return true;
}

/* Linkers leave the lines of functions they dropped, at address 0 or outside of all code. */
int unit_ranges_add(struct unit_ranges *ranges, const struct elf_layout *layout, uint64_t start,
		    uint64_t end, uint32_t unit)
{
	const struct elf_code_segment *segment = elf_layout_segment(layout, start);

	if (!start || !segment || end <= start || end - segment->address > segment->file_bytes ||
	    end - start > UINT32_MAX || extend_last(ranges, start, end, unit) ||
	    ranges->count == ranges->count_max)
		return 0;
	if (ranges->count == ranges->capacity && grow(ranges))
		return -ENOMEM;
	ranges->items[ranges->count++] = (struct unit_range){
		.start = start,
		.bytes = (uint32_t)(end - start),
		.unit = unit,
	};
	return 0;
}

static int compare_ranges(const void *left, const void *right)
{
	const struct unit_range *a = left, *b = right;

	return a->start < b->start ? -1 : a->start > b->start;
}

void unit_ranges_sort(struct unit_ranges *ranges)
{
	if (ranges->count)
		qsort(ranges->items, ranges->count, sizeof(*ranges->items), compare_ranges);
}

const struct unit_range *unit_ranges_find(const struct unit_ranges *ranges, uint64_t address)
{
	size_t low = 0, high = ranges->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (ranges->items[middle].start <= address)
			low = middle + 1;
		else
			high = middle;
	}
	for (int steps = 0; low > 0 && steps < OVERLAP_MAX; steps++) {
		const struct unit_range *range = &ranges->items[--low];

		if (address - range->start < range->bytes)
			return range;
	}
	return NULL;
}

void unit_ranges_clear(struct unit_ranges *ranges)
{
	free(ranges->items);
	*ranges = (struct unit_ranges){.count_max = ranges->count_max};
}
