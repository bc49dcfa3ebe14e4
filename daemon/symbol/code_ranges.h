/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where code lies, or lay, in one address space: sorted ranges without overlap. What is gone stays
 * known until something else is mapped in its place. Pure.
 */
#ifndef MEMWATCH_SYMBOL_CODE_RANGES_H
#define MEMWATCH_SYMBOL_CODE_RANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct module;

/* A file as /proc/PID/maps names it: the same in all mappings of one process. */
struct mapped_file_id {
	uint32_t device_major, device_minor;
	uint64_t inode;
};

bool mapped_file_id_is_same(const struct mapped_file_id *a, const struct mapped_file_id *b);

struct code_range {
	uint64_t start; /* inclusive */
	uint64_t end;   /* exclusive */
	uint64_t file_offset;
	struct module *module; /* borrowed */
	struct mapped_file_id file;
	uint64_t last_seen; /* the refresh that found it last */
};

struct code_ranges {
	struct code_range *items;
	size_t count, capacity;
};

/* Addresses where anything is mapped, in the order of the maps file. */
struct mapped_spans {
	struct mapped_span {
		uint64_t start, end;
	} * items;
	size_t count, capacity;
};

/* Appends, for a list that is not searched yet. Returns 0 or -ENOMEM, as the others do. */
int code_ranges_add(struct code_ranges *ranges, const struct code_range *range);
void code_ranges_clear(struct code_ranges *ranges);
int mapped_spans_add(struct mapped_spans *spans, uint64_t start, uint64_t end);
void mapped_spans_clear(struct mapped_spans *spans);

/* Of ranges keeps what no span covers, the latest first if that is very much, and adds found. */
int code_ranges_merge(struct code_ranges *ranges, const struct code_ranges *found,
		      const struct mapped_spans *spans);

/* The range that holds an address, or NULL. */
const struct code_range *code_ranges_find(const struct code_ranges *ranges, uint64_t address);

#endif
