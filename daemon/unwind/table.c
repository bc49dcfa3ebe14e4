/* SPDX-License-Identifier: Apache-2.0 */
#include "unwind/table.h"

#include "symbol/elf_file.h"
#include "unwind/elf_cfi.h"
#include "unwind/machine.h"
#include "unwind/rule_set.h"
#include "unwind/runtime_code.h"
#include "unwind/span_list.h"
#include "unwind/stubs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_BYTES (1ULL << RECORD_UNWIND_PAGE_SHIFT)

/* The largest programs have 5 million. */
#define ROWS_MAX (16U << 20)

/* _start is this long at most, where it has no call frame information of its own. */
#define START_BYTES_MAX 64

/* Pieces of a runtime's own code: there is one. */
#define GAPS_MAX 4

struct build {
	struct elf_cfi cfi;
	struct cfi_cie_cache cie;
	struct rule_set rules;
	struct span_list spans;
	const struct cfi_cie *current_cie;
	size_t known_count; /* spans, in order, of code that needs no other description */
	size_t refused_count;
	size_t row_capacity;
	uint16_t made_code_rule;
	int error;
	struct unwind_table *table;
};

/* ---- From entries to spans ---- */

static void on_row(void *context, uint64_t address, const struct cfi_state *state)
{
	struct build *build = context;
	struct record_unwind_rule rule = machine_rule(build->current_cie, state);

	if (!build->error)
		build->error = span_list_add_row(&build->spans, address,
						 rule_set_add(&build->rules, &rule));
	if (build->spans.row_count > ROWS_MAX)
		build->error = -E2BIG;
}

static void add_function(struct build *build, const struct cfi_section *section,
			 const struct cfi_fde *fde)
{
	if (!elf_cfi_is_code(&build->cfi, fde->start, fde->end)) {
		/* Of code that the linker has thrown away nothing but the entry may be left. */
		build->refused_count += fde->start != 0;
		return;
	}
	if (span_list_overlaps(&build->spans, build->known_count, fde->start, fde->end))
		return;
	build->error = span_list_begin(&build->spans, fde->start, fde->end);
	if (build->error)
		return;
	build->current_cie = &fde->cie;
	/* A function that is described in part is not described. */
	if (!cfi_program_run(section, fde, on_row, build) && !build->error) {
		span_list_cancel(&build->spans);
		build->refused_count++;
	}
}

static void add_section(struct build *build, const struct cfi_section *section)
{
	enum cfi_entry_kind kind;
	struct cfi_fde fde;
	uint64_t offset = 0;

	build->cie = (struct cfi_cie_cache){0};
	if (!section->bytes)
		return;
	while (!build->error &&
	       (kind = cfi_entry_next(section, &offset, &build->cie, &fde)) != CFI_ENTRY_END) {
		if (kind == CFI_ENTRY_FDE)
			add_function(build, section, &fde);
		else
			build->refused_count += kind == CFI_ENTRY_REFUSED;
	}
}

/*
 * Where a program starts without a word of it in the tables, as by musl's crt1: nothing calls
 * _start. To be called with the spans in order.
 */
static void add_start(struct build *build)
{
	const struct record_unwind_rule rule = {.kind = RECORD_UNWIND_END};
	uint64_t start = build->cfi.entry, end = start + START_BYTES_MAX;

	for (size_t i = 0; i < build->spans.count; i++) {
		const struct span *span = &build->spans.spans[i];

		if (span->start <= start && start < span->end)
			return;
		if (span->start > start) {
			end = span->start < end ? span->start : end;
			break;
		}
	}
	for (size_t i = 0; i < build->cfi.segment_count; i++)
		if (start < build->cfi.segments[i].end && end > build->cfi.segments[i].end)
			end = build->cfi.segments[i].end;
	if (!elf_cfi_is_code(&build->cfi, start, end))
		return;
	build->error = span_list_begin(&build->spans, start, end);
	if (!build->error)
		build->error =
			span_list_add_row(&build->spans, start, rule_set_add(&build->rules, &rule));
	span_list_sort(&build->spans);
}

struct gap {
	uint64_t start, end;
};

/* What no span speaks of, in pieces as large as a runtime's own code. Returns their count. */
static size_t find_gaps(const struct build *build, struct gap gaps[static GAPS_MAX])
{
	size_t count = 0;

	for (size_t i = 0; i < build->cfi.segment_count; i++) {
		uint64_t start = build->cfi.segments[i].start, end = build->cfi.segments[i].end;

		for (size_t j = 0; j <= build->spans.count && count < GAPS_MAX; j++) {
			const struct span *span =
				j < build->spans.count ? &build->spans.spans[j] : NULL;
			uint64_t next = span && span->start < end ? span->start : end;

			if (next > start && next - start >= RUNTIME_CODE_BYTES_MIN)
				gaps[count++] = (struct gap){.start = start, .end = next};
			if (!span || span->start >= end)
				break;
			start = span->end > start ? span->end : start;
		}
	}
	return count;
}

/* The runtime's code. To be called with the spans in order, and leaves them so. */
static void add_runtime_code(struct build *build)
{
	struct record_unwind_rule rule = machine_v8_rule();
	struct gap gaps[GAPS_MAX];
	size_t count = find_gaps(build, gaps);

	if (!count || !runtime_code_is_v8(build->cfi.elf))
		return;
	build->made_code_rule = rule_set_add(&build->rules, &rule);
	for (size_t i = 0; i < count && !build->error; i++) {
		build->error = span_list_begin(&build->spans, gaps[i].start, gaps[i].end);
		if (!build->error)
			build->error = span_list_add_row(&build->spans, gaps[i].start,
							 build->made_code_rule);
	}
	span_list_sort(&build->spans);
}

/* ---- From spans to pages ---- */

/* Where the rows are being written. */
struct writer {
	struct build *build;
	uint64_t page; /* number of the last one begun */
	bool has_page;
	uint16_t rule; /* that holds now */
};

static void write_row(struct writer *writer, uint16_t low_address, uint16_t rule)
{
	struct unwind_table *table = writer->build->table;
	struct unwind_page *page = &table->pages[writer->page];

	if (page->row_count && table->rows[table->row_count - 1].low_address == low_address) {
		table->rows[table->row_count - 1].rule = rule;
		return;
	}
	if (table->row_count == writer->build->row_capacity) {
		writer->build->error = -E2BIG;
		return;
	}
	table->rows[table->row_count++] =
		(struct record_unwind_row){.low_address = low_address, .rule = rule};
	page->row_count++;
}

/* Begins the pages up to this one; each begins with what holds where it begins. */
static void begin_pages(struct writer *writer, uint64_t page)
{
	struct unwind_table *table = writer->build->table;

	while (!writer->has_page || writer->page < page) {
		if (writer->has_page)
			writer->page++;
		else
			writer->page = 0;
		writer->has_page = true;
		table->pages[writer->page].first_row = (uint32_t)table->row_count;
		/* A page of which nothing is known at all has no rows. */
		if (writer->rule != UNWIND_RULE_NONE || writer->page == page)
			write_row(writer, 0, writer->rule);
	}
}

static void write_rule(struct writer *writer, uint64_t address, uint16_t rule)
{
	const struct unwind_table *table = writer->build->table;
	uint64_t offset = address - table->first_address;

	if (rule == writer->rule)
		return;
	begin_pages(writer, offset >> RECORD_UNWIND_PAGE_SHIFT);
	write_row(writer, (uint16_t)(offset & (PAGE_BYTES - 1)), rule);
	writer->rule = rule;
}

static void write_span(struct writer *writer, const struct span *span)
{
	const struct build *build = writer->build;

	for (size_t i = 0; i < span->row_count; i++) {
		const struct span_row *row = &build->spans.rows[span->first_row + i];

		/* Several for one place: the last one holds. */
		if (i + 1 < span->row_count && row[1].address == row->address)
			continue;
		write_rule(writer, row->address, row->rule);
		writer->build->table->unsupported_count += row->rule == UNWIND_RULE_UNSUPPORTED;
	}
}

/* A span's end, which may be where a page would begin that isn't there. */
static void write_end(struct writer *writer, uint64_t address)
{
	const struct unwind_table *table = writer->build->table;
	size_t page = (address - table->first_address) >> RECORD_UNWIND_PAGE_SHIFT;

	if (page < table->page_count) {
		write_rule(writer, address, UNWIND_RULE_NONE);
		return;
	}
	begin_pages(writer, table->page_count - 1);
	writer->rule = UNWIND_RULE_NONE;
}

static void write_pages(struct build *build)
{
	const struct span_list *spans = &build->spans;
	struct writer writer = {.build = build, .rule = UNWIND_RULE_NONE};

	for (size_t i = 0; i < spans->count && !build->error; i++) {
		write_span(&writer, &spans->spans[i]);
		if (i + 1 == spans->count || spans->spans[i + 1].start > spans->spans[i].end)
			write_end(&writer, spans->spans[i].end);
	}
}

/* Makes room for the pages and for as many rows as there can be. */
static int open_table(struct build *build)
{
	const struct span_list *spans = &build->spans;
	uint64_t first = spans->spans[0].start & ~(PAGE_BYTES - 1);
	uint64_t last = spans->spans[spans->count - 1].end - 1;
	struct unwind_table *table;

	if ((last - first) / PAGE_BYTES >= RECORD_UNWIND_PAGES_MAX)
		return -E2BIG;
	table = calloc(1, sizeof(*table));
	if (!table)
		return -ENOMEM;
	build->table = table;
	table->first_address = first;
	table->page_count = (last - first) / PAGE_BYTES + 1;
	/* A row of each span's ends in rows of its own, and each page begins with one. */
	build->row_capacity = spans->row_count + spans->count + 2 * table->page_count;
	table->pages = calloc(table->page_count, sizeof(*table->pages));
	table->rows = calloc(build->row_capacity, sizeof(*table->rows));
	return table->pages && table->rows ? 0 : -ENOMEM;
}

/* ---- All of it ---- */

/*
 * Files without tables of their own at run time are linked with others that have them: each section
 * has what the other lacks, and .eh_frame is what the program itself goes by.
 */
static void add_sections(struct build *build)
{
	add_section(build, &build->cfi.eh_frame);
	if (build->error)
		return;
	build->refused_count += span_list_sort(&build->spans);
	build->known_count = build->spans.count;
	add_section(build, &build->cfi.debug_frame);
	if (!build->error)
		build->refused_count += span_list_sort(&build->spans);
}

static int compile(struct build *build)
{
	add_sections(build);
	/* A file without a word of any function isn't described by its stubs. */
	if (!build->error && build->spans.count)
		build->error = stubs_add(&build->cfi, &build->spans, &build->rules);
	if (!build->error)
		add_start(build);
	if (!build->error)
		add_runtime_code(build);
	if (build->error)
		return build->error;
	if (!build->spans.count)
		return -ENODATA;
	build->error = open_table(build);
	if (!build->error)
		write_pages(build);
	return build->error;
}

static int build_table(Elf *elf, struct unwind_table **table)
{
	struct build build = {0};
	int error = elf_cfi_open(elf, &build.cfi);

	error = error ? error : rule_set_init(&build.rules);
	error = error ? error : compile(&build);
	if (!error) {
		build.table->rules = build.rules.rules;
		build.table->rule_count = build.rules.count;
		build.table->made_code_rule = build.made_code_rule;
		build.table->refused_count = build.refused_count;
		build.rules.rules = NULL;
		*table = build.table;
	} else {
		unwind_table_free(build.table);
	}
	rule_set_clear(&build.rules);
	span_list_clear(&build.spans);
	elf_cfi_close(&build.cfi);
	return error;
}

int unwind_table_build(int fd, struct unwind_table **table)
{
	return build_table(elf_file_open(fd), table);
}

int unwind_table_build_image(const char *image, size_t image_bytes, struct unwind_table **table)
{
	char *copy = malloc(image_bytes + 1);
	int error;

	if (!copy)
		return -ENOMEM;
	memcpy(copy, image, image_bytes);
	error = build_table(elf_image_open(copy, image_bytes), table);
	free(copy);
	return error;
}

void unwind_table_free(struct unwind_table *table)
{
	if (!table)
		return;
	free(table->pages);
	free(table->rows);
	free(table->rules);
	free(table);
}

/* ---- Looking up ---- */

size_t unwind_table_bytes(const struct unwind_table *table)
{
	return table->row_count * sizeof(table->rows[0]) +
	       table->page_count * sizeof(struct record_unwind_page);
}

const struct record_unwind_rule *unwind_table_find(const struct unwind_table *table,
						   uint64_t address)
{
	uint64_t offset = address - table->first_address;
	uint64_t number = offset >> RECORD_UNWIND_PAGE_SHIFT;
	const struct record_unwind_row *rows;
	size_t low = 0, high;

	if (number >= table->page_count || !table->pages[number].row_count)
		return &table->rules[UNWIND_RULE_NONE];
	rows = &table->rows[table->pages[number].first_row];
	high = table->pages[number].row_count;
	/* The last row that doesn't begin beyond the address; the first one never does. */
	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (rows[middle].low_address <= (offset & (PAGE_BYTES - 1)))
			low = middle;
		else
			high = middle;
	}
	return &table->rules[rows[low].rule];
}
