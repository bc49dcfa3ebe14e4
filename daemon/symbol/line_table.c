/* SPDX-License-Identifier: Apache-2.0 */
#include "symbol/line_table.h"

#include "symbol/debug_section.h"
#include "symbol/line_unit.h"
#include "symbol/unit_ranges.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/*
 * Building the index decodes every unit once, at some 10 MiB of .debug_line a second; that, and
 * what libdw needs for one unit (30 to 100 bytes for each byte of it), is bounded here. The units
 * of large C++ files have 300 KiB, those of whole Rust crates up to 1 MiB.
 */
#define LINES_MAX_BYTES   (64u << 20)
#define UNIT_MAX_BYTES    (1u << 20)
#define STRINGS_MAX_BYTES (4u << 20)
#define UNITS_DECODED_MAX 16

/* Compressed sections are kept inflated, all or nothing, and may take this many times bytes_max. */
#define INFLATED_SHARES    4
#define INFLATED_MAX_BYTES (16u << 20)

struct unit_place {
	uint64_t offset;
	uint32_t bytes;
};

struct decoded_unit {
	struct line_unit *unit;
	uint32_t index; /* in the table's units */
	uint64_t last_used;
};

enum line_section { LINE_ROWS, LINE_STRINGS, LINE_SECTION_COUNT };

static const char *const section_names[] = {
	[LINE_ROWS] = ".debug_line",
	[LINE_STRINGS] = ".debug_line_str",
};

struct line_table {
	int fd; /* borrowed: the file of the sections */
	struct debug_section sections[LINE_SECTION_COUNT];
	struct unit_ranges ranges;
	struct unit_place *units;
	size_t unit_count, unit_capacity;
	struct decoded_unit decoded[UNITS_DECODED_MAX];
	size_t decoded_count, decoded_bytes, decoded_max;
	uint64_t uses;
};

static int grow(void **array, size_t element_bytes, size_t count, size_t *capacity)
{
	size_t wanted = *capacity ? *capacity * 2 : 64;
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

static int read_strings(const struct line_table *table, char **strings, size_t *bytes)
{
	int error;

	*bytes = table->sections[LINE_STRINGS].bytes <= STRINGS_MAX_BYTES
			 ? table->sections[LINE_STRINGS].bytes
			 : 0;
	*strings = malloc(*bytes ? *bytes : 1);
	if (!*strings)
		return -ENOMEM;
	error = debug_section_read(&table->sections[LINE_STRINGS], table->fd, *strings, *bytes, 0);
	if (error) {
		free(*strings);
		*strings = NULL;
	}
	return error;
}

static int decode_unit(const struct line_table *table, const struct unit_place *place,
		       const char *strings, size_t strings_bytes, struct line_unit **unit)
{
	char *buffer = malloc(place->bytes);
	int error;

	if (!buffer)
		return -ENOMEM;
	error = debug_section_read(&table->sections[LINE_ROWS], table->fd, buffer, place->bytes,
				   place->offset);
	if (!error)
		error = line_unit_decode(buffer, place->bytes, strings, strings_bytes, unit);
	free(buffer);
	return error;
}

static int add_ranges(struct line_table *table, const struct elf_layout *layout,
		      const struct line_unit *unit)
{
	uint32_t number = (uint32_t)table->unit_count - 1;
	bool is_inside = false;
	uint64_t start = 0;
	int error = 0;

	for (size_t i = 0; i < unit->row_count && !error; i++) {
		const struct line_row *row = &unit->rows[i];

		if (!is_inside && !row->is_end)
			start = row->address;
		else if (is_inside && row->is_end)
			error = unit_ranges_add(&table->ranges, layout, start, row->address,
						number);
		is_inside = !row->is_end;
	}
	return error;
}

/* Reads the length that begins a unit; *bytes counts the length field too. */
static int read_unit_length(const struct line_table *table, uint64_t offset, uint64_t *bytes)
{
	uint64_t left = table->sections[LINE_ROWS].bytes - offset, wide;
	uint32_t narrow;
	int error;

	error = debug_section_read(&table->sections[LINE_ROWS], table->fd, &narrow, sizeof(narrow),
				   offset);
	if (error)
		return error;
	if (narrow < 0xfffffff0) {
		*bytes = (uint64_t)narrow + sizeof(narrow);
	} else if (narrow == 0xffffffff) { /* 64-bit DWARF */
		error = debug_section_read(&table->sections[LINE_ROWS], table->fd, &wide,
					   sizeof(wide), offset + sizeof(narrow));
		if (error)
			return error;
		if (wide > left)
			return -EINVAL;
		*bytes = wide + sizeof(narrow) + sizeof(wide);
	} else {
		return -EINVAL;
	}
	return *bytes <= left ? 0 : -EINVAL;
}

static int add_unit(struct line_table *table, const struct elf_layout *layout,
		    const struct unit_place *place, const char *strings, size_t strings_bytes)
{
	struct line_unit *unit = NULL;
	int error;

	error = decode_unit(table, place, strings, strings_bytes, &unit);
	if (error)
		return error == -EINVAL ? 0 : error;
	error = grow((void **)&table->units, sizeof(*table->units), table->unit_count,
		     &table->unit_capacity);
	if (!error) {
		table->units[table->unit_count++] = *place;
		error = add_ranges(table, layout, unit);
	}
	line_unit_free(unit);
	return error;
}

static int add_units(struct line_table *table, const struct elf_layout *layout,
		     const bool *is_cancelled)
{
	size_t strings_bytes;
	uint64_t bytes;
	char *strings;
	int error;

	if (table->sections[LINE_ROWS].bytes > LINES_MAX_BYTES)
		return 0;
	error = read_strings(table, &strings, &strings_bytes);
	for (uint64_t offset = 0; !error && offset < table->sections[LINE_ROWS].bytes;
	     offset += bytes) {
		if (__atomic_load_n(is_cancelled, __ATOMIC_RELAXED) ||
		    read_unit_length(table, offset, &bytes))
			break;
		if (bytes <= UNIT_MAX_BYTES) {
			struct unit_place place = {.offset = offset, .bytes = (uint32_t)bytes};

			error = add_unit(table, layout, &place, strings, strings_bytes);
		}
	}
	free(strings);
	return error;
}

int line_table_build(const struct symbol_file *file, const struct elf_layout *layout,
		     size_t bytes_max, const bool *is_cancelled, struct line_table **table)
{
	struct line_table *built = calloc(1, sizeof(*built));
	uint64_t inflated_max;
	int error;

	if (!built)
		return -ENOMEM;
	built->fd = file->fd;
	built->decoded_max = bytes_max / 2;
	built->ranges.count_max = bytes_max / 2 / sizeof(struct unit_range);
	inflated_max = bytes_max * INFLATED_SHARES;
	if (inflated_max > INFLATED_MAX_BYTES)
		inflated_max = INFLATED_MAX_BYTES;
	error = debug_sections_find(file, inflated_max, section_names, LINE_SECTION_COUNT,
				    built->sections);
	if (!error)
		error = add_units(built, layout, is_cancelled);
	if (error == -ENOMEM) {
		line_table_free(built);
		return error;
	}
	unit_ranges_sort(&built->ranges);
	*table = built;
	return 0;
}

void line_table_free(struct line_table *table)
{
	if (!table)
		return;
	for (size_t i = 0; i < table->decoded_count; i++)
		line_unit_free(table->decoded[i].unit);
	for (int i = 0; i < LINE_SECTION_COUNT; i++)
		debug_section_close(&table->sections[i]);
	unit_ranges_clear(&table->ranges);
	free(table->units);
	free(table);
}

size_t line_table_bytes(const struct line_table *table)
{
	return sizeof(*table) + table->ranges.capacity * sizeof(*table->ranges.items) +
	       table->unit_capacity * sizeof(*table->units) + table->decoded_bytes +
	       debug_sections_bytes(table->sections, LINE_SECTION_COUNT);
}

static void forget_oldest_unit(struct line_table *table)
{
	struct decoded_unit *oldest = &table->decoded[0];

	for (size_t i = 1; i < table->decoded_count; i++)
		if (table->decoded[i].last_used < oldest->last_used)
			oldest = &table->decoded[i];
	table->decoded_bytes -= oldest->unit->bytes;
	line_unit_free(oldest->unit);
	*oldest = table->decoded[--table->decoded_count];
}

/* A unit that is larger than all that may be kept is kept alone, until the next one is wanted. */
static void keep_unit(struct line_table *table, uint32_t index, struct line_unit *unit)
{
	while (table->decoded_count == UNITS_DECODED_MAX ||
	       (table->decoded_count && table->decoded_bytes + unit->bytes > table->decoded_max))
		forget_oldest_unit(table);
	table->decoded[table->decoded_count++] =
		(struct decoded_unit){.unit = unit, .index = index, .last_used = ++table->uses};
	table->decoded_bytes += unit->bytes;
}

static struct line_unit *find_unit(struct line_table *table, uint32_t index)
{
	struct line_unit *unit;
	size_t strings_bytes;
	char *strings;
	int error;

	for (size_t i = 0; i < table->decoded_count; i++) {
		struct decoded_unit *known = &table->decoded[i];

		if (known->index == index) {
			known->last_used = ++table->uses;
			return known->unit;
		}
	}
	if (read_strings(table, &strings, &strings_bytes))
		return NULL;
	error = decode_unit(table, &table->units[index], strings, strings_bytes, &unit);
	free(strings);
	if (error)
		return NULL;
	keep_unit(table, index, unit);
	return unit;
}

int line_table_find(struct line_table *table, uint64_t address, const char **file, uint32_t *line)
{
	const struct unit_range *range = unit_ranges_find(&table->ranges, address);
	const struct line_row *row;
	struct line_unit *unit;

	if (!range)
		return -ENOENT;
	unit = find_unit(table, range->unit);
	row = unit ? line_unit_find(unit, address) : NULL;
	if (!row || !row->line || !unit->files[row->file])
		return -ENOENT;
	*file = unit->files[row->file];
	*line = row->line;
	return 0;
}

/* Units were added by their offset. */
static int find_unit_at(const struct line_table *table, uint64_t offset, uint32_t *index)
{
	size_t low = 0, high = table->unit_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (table->units[middle].offset < offset)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == table->unit_count || table->units[low].offset != offset)
		return -ENOENT;
	*index = (uint32_t)low;
	return 0;
}

const char *line_table_file(struct line_table *table, uint64_t unit_offset, uint64_t file)
{
	struct line_unit *unit;
	uint32_t index;

	if (find_unit_at(table, unit_offset, &index))
		return NULL;
	unit = find_unit(table, index);
	return unit && file < unit->file_count ? unit->files[file] : NULL;
}
