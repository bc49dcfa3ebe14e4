/* SPDX-License-Identifier: Apache-2.0 */
#include "symbol/inline_table.h"

#include "symbol/dwarf_lookup.h"
#include "symbol/unit_ranges.h"

#include <dwarf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Chromium has 30,000; reading the head of each takes some 5 us. */
#define UNITS_MAX      65536
#define UNITS_KEPT_MAX 4
/* Debian compresses debug information to a third: of libc's there are 4 MiB. */
#define INFLATED_SHARES 2
/* From an inlined call to the function, its declaration, and the one that this completes. */
#define REFERENCES_MAX 8
#define NESTING_MAX    512

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

struct kept_unit {
	struct dwarf_unit unit;
	uint64_t last_used;
};

struct inline_table {
	struct dwarf_sections sections;
	struct unit_ranges ranges;
	uint64_t *units; /* offsets in .debug_info, ascending */
	size_t unit_count, unit_capacity;
	struct kept_unit kept[UNITS_KEPT_MAX];
	size_t kept_count, kept_bytes, kept_max;
	uint64_t uses;
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

/* Units without code (types, what others import) are kept too: functions may be described there. */
static int index_unit(struct inline_table *table, const struct elf_layout *layout,
		      struct dwarf_unit *unit)
{
	struct range_adding adding = {
		.table = table,
		.layout = layout,
		.unit = (uint32_t)table->unit_count,
	};
	int error = dwarf_unit_read_root(&table->sections, unit);

	if (error)
		return error == -ENOMEM ? error : 0;
	error = add_unit(table, unit->offset);
	if (error || unit->root.tag != DW_TAG_compile_unit)
		return error;
	read_base_address(table, unit);
	dwarf_lookup_ranges(&table->sections, unit, &unit->root, add_range, &adding);
	return adding.error;
}

static int index_units(struct inline_table *table, const struct elf_layout *layout)
{
	uint64_t offset = 0;
	int error = 0;

	while (!error && table->unit_count < UNITS_MAX) {
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

int inline_table_build(const struct symbol_file *file, const struct elf_layout *layout,
		       size_t bytes_max, struct inline_table **table)
{
	struct inline_table *built = calloc(1, sizeof(*built));
	int error;

	if (!built)
		return -ENOMEM;
	built->sections.fd = file->fd;
	built->ranges.count_max = bytes_max / 4 / sizeof(struct unit_range);
	built->kept_max = bytes_max / 2;
	error = debug_sections_find(file, bytes_max * INFLATED_SHARES, section_names,
				    DWARF_SECTION_COUNT, built->sections.items);
	if (!error)
		error = index_units(built, layout);
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
	unit_ranges_clear(&table->ranges);
	free(table->units);
	free(table);
}

size_t inline_table_bytes(const struct inline_table *table)
{
	return sizeof(*table) + table->ranges.capacity * sizeof(*table->ranges.items) +
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

/* One that is larger than all that may be kept is kept alone, until the next one is wanted. */
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

/* Borrowed until the next unit is opened. NULL: it can't be read. */
static const struct dwarf_unit *open_unit(struct inline_table *table, uint64_t offset)
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

/* The unit that an offset of .debug_info lies in. */
static const struct dwarf_unit *open_unit_of(struct inline_table *table, uint64_t offset)
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
	unit = open_unit(table, table->units[low - 1]);
	return unit && offset - unit->offset < unit->bytes ? unit : NULL;
}

/* ---- Calls ---- */

struct range_search {
	uint64_t address;
	bool is_found;
};

static bool search_range(void *context, uint64_t start, uint64_t end)
{
	struct range_search *search = context;

	search->is_found = search->address >= start && search->address < end;
	return !search->is_found;
}

static bool covers(const struct inline_table *table, const struct dwarf_unit *unit,
		   const struct dwarf_die *die, uint64_t address)
{
	struct range_search search = {.address = address};

	dwarf_lookup_ranges(&table->sections, unit, die, search_range, &search);
	return search.is_found;
}

/* A reference into another file (dwz) is none that can be followed. */
static bool refers(const struct dwarf_value *value)
{
	switch (value->form) {
	case DW_FORM_ref1:
	case DW_FORM_ref2:
	case DW_FORM_ref4:
	case DW_FORM_ref8:
	case DW_FORM_ref_udata:
	case DW_FORM_ref_addr:
		return true;
	default:
		return false;
	}
}

static void push_call(struct inline_chain *chain, const struct dwarf_die *die)
{
	const struct dwarf_value *origin = &die->values[DWARF_ORIGIN];
	struct inline_call call = {
		.origin = refers(origin) ? origin->number : UINT64_MAX,
		.place.file = die->values[DWARF_CALL_FILE].number,
		.place.line = (uint32_t)die->values[DWARF_CALL_LINE].number,
	};

	if (!chain->count)
		chain->outermost = call.place;
	if (chain->count == INLINE_DEPTH_MAX)
		memmove(chain->calls, chain->calls + 1, --chain->count * sizeof(chain->calls[0]));
	chain->calls[chain->count++] = call;
}

/*
 * Goes through the entries below one that covers the address: any that covers it too is inside of
 * the last that did. Ends behind the outermost function that does.
 */
struct walk {
	const struct inline_table *table;
	const struct dwarf_unit *unit;
	uint64_t address;
	unsigned int depth;
	unsigned int function_depth; /* 0: not inside of the function yet */
	struct inline_chain *chain;
};

static bool is_function(const struct dwarf_die *die)
{
	return die->tag == DW_TAG_subprogram || die->tag == DW_TAG_inlined_subroutine;
}

/* Whether the entry's children are worth a look. */
static bool enter(struct walk *walk, const struct dwarf_die *die)
{
	if (!is_function(die))
		return true;
	if (!covers(walk->table, walk->unit, die, walk->address))
		return false;
	if (die->tag == DW_TAG_inlined_subroutine)
		push_call(walk->chain, die);
	else if (!walk->function_depth)
		walk->function_depth = walk->depth + 1;
	return true;
}

/* Skips the children of an entry, at once if it says where its sibling is. */
static void skip_children(const struct walk *walk, struct dwarf_reader *reader,
			  const struct dwarf_die *parent)
{
	const struct dwarf_value *sibling = &parent->values[DWARF_SIBLING];
	unsigned int depth = 1;

	if (sibling->form) {
		struct dwarf_reader behind = dwarf_unit_reader(walk->unit, sibling->number);

		/* Only forwards, or there would be no end. */
		if (!behind.has_failed && behind.next > reader->next) {
			*reader = behind;
			return;
		}
	}
	while (depth > 0) {
		struct dwarf_die die;

		if (!dwarf_unit_read_die(walk->unit, reader, &die))
			return;
		depth += die.has_children;
		depth -= !die.tag;
	}
}

static void walk_unit(struct walk *walk)
{
	struct dwarf_reader reader = dwarf_unit_reader(walk->unit, walk->unit->entries_offset);
	struct dwarf_die die;

	while (dwarf_unit_read_die(walk->unit, &reader, &die)) {
		if (!die.tag) {
			if (walk->depth <= 1 || walk->depth == walk->function_depth)
				return;
			walk->depth--;
		} else if (!enter(walk, &die)) {
			if (die.has_children)
				skip_children(walk, &reader, &die);
		} else if (die.has_children && ++walk->depth > NESTING_MAX) {
			return;
		} else if (!die.has_children && walk->depth + 1 == walk->function_depth) {
			return;
		}
	}
}

int inline_table_find(struct inline_table *table, uint64_t address, struct inline_chain *chain)
{
	const struct unit_range *range = unit_ranges_find(&table->ranges, address);
	struct walk walk = {.table = table, .address = address, .chain = chain};

	*chain = (struct inline_chain){0};
	walk.unit = range ? open_unit(table, table->units[range->unit]) : NULL;
	if (!walk.unit)
		return -ENOENT;
	chain->line_unit = walk.unit->root.values[DWARF_STMT_LIST].number;
	walk_unit(&walk);
	return 0;
}

/* ---- Names ---- */

/* Reads the entry at an offset; false when there is none. */
static bool read_entry(struct inline_table *table, uint64_t offset, const struct dwarf_unit **unit,
		       struct dwarf_die *die)
{
	struct dwarf_reader reader;

	*unit = open_unit_of(table, offset);
	if (!*unit)
		return false;
	reader = dwarf_unit_reader(*unit, offset);
	return dwarf_unit_read_die(*unit, &reader, die) && die->tag;
}

int inline_table_name(struct inline_table *table, uint64_t origin,
		      char name[static SYMBOL_NAME_MAX_BYTES])
{
	char linkage_name[SYMBOL_NAME_MAX_BYTES];
	int error = -ENOENT;

	for (int i = 0; i < REFERENCES_MAX; i++) {
		const struct dwarf_unit *unit;
		const struct dwarf_value *next;
		struct dwarf_die die;

		if (!read_entry(table, origin, &unit, &die))
			break;
		if (!dwarf_lookup_string(&table->sections, unit, &die.values[DWARF_LINKAGE_NAME],
					 linkage_name)) {
			memcpy(name, linkage_name, strlen(linkage_name) + 1);
			return 0;
		}
		/* The plain name, unless a further entry has the other one. */
		if (error)
			error = dwarf_lookup_string(&table->sections, unit, &die.values[DWARF_NAME],
						    name);
		next = &die.values[DWARF_ORIGIN];
		if (!refers(next))
			next = &die.values[DWARF_SPECIFICATION];
		if (!refers(next))
			break;
		origin = next->number;
	}
	return error;
}
