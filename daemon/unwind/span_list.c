/* SPDX-License-Identifier: Apache-2.0 */
#include "unwind/span_list.h"

#include <errno.h>
#include <stdlib.h>

static int grow(void **items, size_t *capacity, size_t size)
{
	size_t wanted = *capacity ? *capacity * 2 : 1024;
	void *grown = reallocarray(*items, wanted, size);

	if (!grown)
		return -ENOMEM;
	*items = grown;
	*capacity = wanted;
	return 0;
}

int span_list_begin(struct span_list *list, uint64_t start, uint64_t end)
{
	void *spans = list->spans;

	if (list->count == list->capacity) {
		if (grow(&spans, &list->capacity, sizeof(*list->spans)))
			return -ENOMEM;
		list->spans = spans;
	}
	list->spans[list->count++] =
		(struct span){.start = start, .end = end, .first_row = list->row_count};
	return 0;
}

int span_list_add_row(struct span_list *list, uint64_t address, uint16_t rule)
{
	struct span *span = &list->spans[list->count - 1];
	void *rows = list->rows;

	if (address >= span->end)
		return 0;
	if (list->row_count == list->row_capacity) {
		if (grow(&rows, &list->row_capacity, sizeof(*list->rows)))
			return -ENOMEM;
		list->rows = rows;
	}
	list->rows[list->row_count++] = (struct span_row){.address = address, .rule = rule};
	span->row_count++;
	return 0;
}

void span_list_cancel(struct span_list *list)
{
	list->count--;
	list->row_count = list->spans[list->count].first_row;
}

static int compare_spans(const void *a, const void *b)
{
	const struct span *left = a, *right = b;

	if (left->start != right->start)
		return left->start < right->start ? -1 : 1;
	return left->first_row < right->first_row ? -1 : left->first_row > right->first_row;
}

size_t span_list_sort(struct span_list *list)
{
	size_t kept = 0, left_out;

	if (list->count)
		qsort(list->spans, list->count, sizeof(list->spans[0]), compare_spans);
	for (size_t i = 0; i < list->count; i++)
		if (!kept || list->spans[i].start >= list->spans[kept - 1].end)
			list->spans[kept++] = list->spans[i];
	left_out = list->count - kept;
	list->count = kept;
	return left_out;
}

bool span_list_overlaps(const struct span_list *list, size_t count, uint64_t start, uint64_t end)
{
	size_t low = 0, high = count;

	/* The first one that ends beyond start. */
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (list->spans[middle].end <= start)
			low = middle + 1;
		else
			high = middle;
	}
	return low < count && list->spans[low].start < end;
}

void span_list_clear(struct span_list *list)
{
	free(list->spans);
	free(list->rows);
	*list = (struct span_list){0};
}
