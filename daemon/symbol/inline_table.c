/* SPDX-License-Identifier: Apache-2.0 */
#include "symbol/inline_table.h"

#include "symbol/dwarf_lookup.h"
#include "symbol/inline_table_private.h"

#include <dwarf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The largest programs have tens of thousands, of each of which the head is read. */
#define UNITS_MAX 65536
/* Files can be made to take long: so many pieces of lists are read for the index at most. */
#define INDEX_RANGE_READS (4 * UNITS_MAX)
/* Distributions compress the sections of debug files. */
#define INFLATED_SHARES 2

static const char *const section_names[DWARF_SECTION_COUNT] = {
	[DWARF_INFO] = ".debug_info",
	[DWARF_ABBREV] = ".debug_abbrev",
	[DWARF_STR] = ".debug_str",
	[DWARF_LINE_STR] = ".debug_line_str",
	[DWARF_STR_OFFSETS] = ".debug_str_offsets",
	[DWARF_ADDR] = ".debug_addr",
	[DWARF_RANGES] = ".debug_ranges",
	[DWARF_RNGLISTS] = ".debug_rnglists",
};

/* ---- The index ---- */

struct range_adding {
	struct inline_table *table;
	const struct elf_layout *layout;
	uint32_t unit;
	int error;
};

static bool add_range(void *context, uint64_t start, uint64_t end)
{
	struct range_adding *adding = context;

	adding->error =
		unit_ranges_add(&adding->table->ranges, adding->layout, start, end, adding->unit);
	return !adding->error;
}

static int add_unit(struct inline_table *table, uint64_t offset)
{
	if (table->unit_count == table->unit_capacity) {
		size_t capacity = table->unit_capacity ? table->unit_capacity * 2 : 64;
		void *units = realloc(table->units, capacity * sizeof(*table->units));

		if (!units)
			return -ENOMEM;
		table->units = units;
		table->unit_capacity = capacity;
	}
	table->units[table->unit_count++] = offset;
	return 0;
}

static void read_base_address(const struct inline_table *table, struct dwarf_unit *unit)
{
	if (dwarf_lookup_address(&table->sections, unit, &unit->root.values[DWARF_LOW_PC],
				 &unit->base_address))
		unit->base_address = 0;
}

/*
 * Units without code (types, what others import) are kept too: functions may be described there.
 * layout: NULL for a file of such units alone.
 */
static int index_unit(struct inline_table *table, const struct elf_layout *layout,
		      struct dwarf_unit *unit)
{
	struct range_adding adding = {
		.table = table,
		.layout = layout,
		.unit = (uint32_t)table->unit_count,
	};
	int error;

	if (!layout)
		return add_unit(table, unit->offset);
	error = dwarf_unit_read_root(&table->sections, unit);
	if (error)
		return error == -ENOMEM ? error : 0;
	error = add_unit(table, unit->offset);
	if (error || unit->root.tag != DW_TAG_compile_unit)
		return error;
	read_base_address(table, unit);
	dwarf_lookup_ranges(&table->sections, unit, &unit->root, add_range, &adding);
	return adding.error;
}

static int index_units(struct inline_table *table, const struct elf_layout *layout,
		       const bool *is_cancelled)
{
	uint64_t offset = 0;
	int error = 0;

	while (!error && table->unit_count < UNITS_MAX &&
	       !__atomic_load_n(is_cancelled, __ATOMIC_RELAXED)) {
		struct dwarf_unit unit;
		int found = dwarf_unit_read_header(&table->sections, offset, &unit);

		if (found && found != -ENOTSUP)
			break;
		if (!found)
			error = index_unit(table, layout, &unit);
		dwarf_unit_clear(&unit);
		offset += unit.bytes;
	}
	return error;
}

static struct inline_table *new_table(const struct symbol_file *file, size_t bytes_max)
{
	struct inline_table *table = calloc(1, sizeof(*table));

	if (!table)
		return NULL;
	table->sections.fd = file->fd;
	table->ranges.count_max = bytes_max / 4 / sizeof(struct unit_range);
	table->kept_max = bytes_max / 2;
	table->sections.range_reads_left = INDEX_RANGE_READS;
	return table;
}

static int fill_table(struct inline_table *table, const struct symbol_file *file,
		      const struct elf_layout *layout, size_t bytes_max, const bool *is_cancelled)
{
	int error = debug_sections_find(file, bytes_max * INFLATED_SHARES, section_names,
					DWARF_SECTION_COUNT, table->sections.items);

	return error ? error : index_units(table, layout, is_cancelled);
}

static int add_supplement(struct inline_table *table, const struct symbol_file *file,
			  size_t bytes_max, const bool *is_cancelled)
{
	table->supplement = new_table(file, bytes_max);
	if (!table->supplement)
		return -ENOMEM;
	table->sections.supplement = &table->supplement->sections;
	return fill_table(table->supplement, file, NULL, bytes_max, is_cancelled);
}

int inline_table_build(const struct symbol_file *file, const struct symbol_file *supplement,
		       const struct elf_layout *layout, size_t bytes_max, const bool *is_cancelled,
		       struct inline_table **table)
{
	struct inline_table *built = new_table(file, bytes_max);
	int error;

	if (!built)
		return -ENOMEM;
	error = fill_table(built, file, layout, bytes_max, is_cancelled);
	if (error != -ENOMEM && supplement->fd >= 0)
		error = add_supplement(built, supplement, bytes_max, is_cancelled);
	if (error == -ENOMEM) {
		inline_table_free(built);
		return error;
	}
	unit_ranges_sort(&built->ranges);
	*table = built;
	return 0;
}

void inline_table_free(struct inline_table *table)
{
	if (!table)
		return;
	for (size_t i = 0; i < table->kept_count; i++)
		dwarf_unit_clear(&table->kept[i].unit);
	for (int i = 0; i < DWARF_SECTION_COUNT; i++)
		debug_section_close(&table->sections.items[i]);
	inline_table_free(table->supplement);
	unit_ranges_clear(&table->ranges);
	free(table->units);
	free(table);
}

size_t inline_table_bytes(const struct inline_table *table)
{
	return (table->supplement ? inline_table_bytes(table->supplement) : 0) + sizeof(*table) +
	       table->ranges.capacity * sizeof(*table->ranges.items) +
	       table->unit_capacity * sizeof(*table->units) + table->kept_bytes +
	       debug_sections_bytes(table->sections.items, DWARF_SECTION_COUNT);
}

/* ---- Units ---- */

static size_t unit_bytes(const struct dwarf_unit *unit)
{
	return unit->data_bytes + unit->abbrevs_bytes;
}

static void forget_oldest_unit(struct inline_table *table)
{
	struct kept_unit *oldest = &table->kept[0];

	for (size_t i = 1; i < table->kept_count; i++)
		if (table->kept[i].last_used < oldest->last_used)
			oldest = &table->kept[i];
	table->kept_bytes -= unit_bytes(&oldest->unit);
	dwarf_unit_clear(&oldest->unit);
	*oldest = table->kept[--table->kept_count];
}

static const struct dwarf_unit *keep_unit(struct inline_table *table, const struct dwarf_unit *unit)
{
	struct kept_unit *kept;

	while (table->kept_count == UNITS_KEPT_MAX ||
	       (table->kept_count && table->kept_bytes + unit_bytes(unit) > table->kept_max))
		forget_oldest_unit(table);
	kept = &table->kept[table->kept_count++];
	*kept = (struct kept_unit){.unit = *unit, .last_used = ++table->uses};
	table->kept_bytes += unit_bytes(unit);
	return &kept->unit;
}

const struct dwarf_unit *inline_table_unit(struct inline_table *table, uint64_t offset)
{
	struct dwarf_unit unit;

	for (size_t i = 0; i < table->kept_count; i++) {
		if (table->kept[i].unit.offset != offset)
			continue;
		table->kept[i].last_used = ++table->uses;
		return &table->kept[i].unit;
	}
	if (dwarf_unit_read_header(&table->sections, offset, &unit))
		return NULL;
	if (dwarf_unit_read(&table->sections, &unit)) {
		dwarf_unit_clear(&unit);
		return NULL;
	}
	read_base_address(table, &unit);
	return keep_unit(table, &unit);
}

const struct dwarf_unit *inline_table_unit_of(struct inline_table *table, uint64_t offset)
{
	size_t low = 0, high = table->unit_count;
	const struct dwarf_unit *unit;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (table->units[middle] <= offset)
			low = middle + 1;
		else
			high = middle;
	}
	if (!low)
		return NULL;
	unit = inline_table_unit(table, table->units[low - 1]);
	return unit && offset - unit->offset < unit->bytes ? unit : NULL;
}

void inline_table_trim(struct inline_table *table)
{
	while (table->kept_bytes > table->kept_max)
		forget_oldest_unit(table);
}
