/* SPDX-License-Identifier: Apache-2.0 */
#include "symbol/fileless_code.h"

#include <stdlib.h>

void fileless_code_add(struct fileless_code *code, const struct address_range *range)
{
	bool is_reserved = !range->is_readable && !range->is_writable && !range->is_executable;
	struct fileless_range *last = code->count ? &code->ranges[code->count - 1] : NULL;

	if (code->reserved_end != range->start)
		code->reserved_start = range->start;
	code->reserved_end = is_reserved ? range->end : 0;
	if (!is_reserved && !range->is_executable)
		return;
	if (last && last->end == range->start) {
		last->end = range->end;
		return;
	}
	if (is_reserved || code->count == FILELESS_CODE_RANGES_MAX)
		return;
	code->ranges[code->count++] =
		(struct fileless_range){.start = code->reserved_start, .end = range->end};
}

static bool is_mapped(const struct mapped_spans *mapped, const struct fileless_range *range)
{
	for (size_t i = 0; i < mapped->count; i++)
		if (mapped->items[i].start <= range->start && mapped->items[i].end >= range->end)
			return true;
	return false;
}

static bool is_in_files(const struct code_ranges *in_files, const struct fileless_range *range)
{
	for (size_t i = 0; i < in_files->count; i++)
		if (in_files->items[i].start < range->end && in_files->items[i].end > range->start)
			return true;
	return false;
}

static int compare(const void *left, const void *right)
{
	const struct fileless_range *a = left, *b = right;

	return a->start < b->start ? -1 : a->start > b->start;
}

/* Ranges that meet become one. */
static void join(struct fileless_code *code)
{
	size_t kept = 0;

	qsort(code->ranges, code->count, sizeof(code->ranges[0]), compare);
	for (size_t i = 0; i < code->count; i++) {
		const struct fileless_range *range = &code->ranges[i];

		if (!kept || code->ranges[kept - 1].end < range->start)
			code->ranges[kept++] = *range;
		else if (code->ranges[kept - 1].end < range->end)
			code->ranges[kept - 1].end = range->end;
	}
	code->count = kept;
}

void fileless_code_complete(struct fileless_code *code, const struct fileless_code *before,
			    const struct mapped_spans *mapped, const struct code_ranges *in_files)
{
	for (size_t i = 0; i < before->count && code->count < FILELESS_CODE_RANGES_MAX; i++) {
		const struct fileless_range *range = &before->ranges[i];

		if (is_mapped(mapped, range) && !is_in_files(in_files, range))
			code->ranges[code->count++] = *range;
	}
	join(code);
}

bool fileless_code_has(const struct fileless_code *code, uint64_t address)
{
	for (size_t i = 0; i < code->count; i++)
		if (address >= code->ranges[i].start && address < code->ranges[i].end)
			return true;
	return false;
}
