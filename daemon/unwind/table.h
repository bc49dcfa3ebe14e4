/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compiles a module's call frame information (.eh_frame, and .debug_frame for code that the
 * former leaves out) into the compact rows that the walker in BPF searches (bpf/record.h,
 * "Unwinding").
 *
 * The file is hostile: every bound is checked, and what cannot be decoded becomes rows that say so.
 * Threads: a build uses only its own memory; a table never changes once it is built.
 */
#ifndef MEMWATCH_UNWIND_TABLE_H
#define MEMWATCH_UNWIND_TABLE_H

#include <record.h>

#include <stddef.h>
#include <stdint.h>

/* The first two rules of every table are these; rows refer to them by their number. */
#define UNWIND_RULE_NONE        0
#define UNWIND_RULE_UNSUPPORTED 1

/* Rows of one 64 KiB page; row_count 0: no table speaks of any of it. */
struct unwind_page {
	uint32_t first_row; /* index into rows */
	uint32_t row_count;
};

struct unwind_table {
	uint64_t first_address; /* link address where page 0 begins, a multiple of 64 KiB */
	size_t page_count;
	struct unwind_page *pages;
	size_t row_count;
	struct record_unwind_row *rows;
	size_t rule_count; /* at most 65536 */
	struct record_unwind_rule *rules;
	uint16_t made_code_rule;  /* of code that this module makes at run time, NONE: not known */
	size_t unsupported_count; /* rows that say UNSUPPORTED */
	size_t refused_count;     /* entries that could not be decoded, their code has no rows */
};

/*
 * Builds the table of the ELF file behind fd, which is read by pread and stays the caller's.
 * Returns 0 and *table for the caller to free; -ENOEXEC when it is no x86-64 ELF file, -ENODATA
 * when it has no call frame information, -E2BIG past the bounds below, -ENOMEM, or what reading
 * gave.
 */
int unwind_table_build(int fd, struct unwind_table **table);
/* The same of an image in memory, as the vDSO is; it isn't changed. */
int unwind_table_build_image(const char *image, size_t image_bytes, struct unwind_table **table);
void unwind_table_free(struct unwind_table *table);

/* What a table takes in the walker's maps, rules left out. */
size_t unwind_table_bytes(const struct unwind_table *table);

/* The rule for the code at a link address; NONE outside. Never NULL. */
const struct record_unwind_rule *unwind_table_find(const struct unwind_table *table,
						   uint64_t address);

#endif
