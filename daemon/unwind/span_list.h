/* SPDX-License-Identifier: Apache-2.0 */
/* What the entries say, one span of rows for each function, as they come and then in order. */
#ifndef MEMWATCH_UNWIND_SPAN_LIST_H
#define MEMWATCH_UNWIND_SPAN_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A rule holds from the address to the next row's, or to the end of the span. */
struct span_row {
	uint64_t address;
	uint16_t rule;
};

struct span {
	uint64_t start;
	uint64_t end; /* exclusive */
	size_t first_row, row_count;
};

struct span_list {
	struct span *spans;
	size_t count, capacity;
	struct span_row *rows;
	size_t row_count, row_capacity;
};

/* Begins a span, whose rows are those added next. These return 0 or -ENOMEM. */
int span_list_begin(struct span_list *list, uint64_t start, uint64_t end);
/* Addresses never fall. What lies beyond the span is left out. */
int span_list_add_row(struct span_list *list, uint64_t address, uint16_t rule);
/* Takes the span begun last back. */
void span_list_cancel(struct span_list *list);
/*
 * Sorts the spans by address; of such as overlap the one that begins first stays, of these the one
 * that came first. Returns how many were left out.
 */
size_t span_list_sort(struct span_list *list);
/* Whether one of the first count spans, which have been sorted, holds any of [start, end). */
bool span_list_overlaps(const struct span_list *list, size_t count, uint64_t start, uint64_t end);
void span_list_clear(struct span_list *list);

#endif
