/* SPDX-License-Identifier: Apache-2.0 */
/* Which functions were inlined around an address, and what they are called. */
#include "clock.h"
#include "symbol/dwarf_lookup.h"
#include "symbol/inline_table_private.h"

#include <dwarf.h>
#include <errno.h>
#include <string.h>

/* From an inlined call to the function, its declaration, and the one that this completes. */
#define REFERENCES_MAX 8
#define NESTING_MAX    512

/*
 * Files can be made to take long: one lookup reads so many pieces of lists at most (one for each
 * call that is inlined in several places), and once a table has taken so much time it gives no
 * more.
 */
#define FIND_RANGE_READS 65536
#define SECONDS_MAX      5

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

static bool covers(struct inline_table *table, const struct dwarf_unit *unit,
		   const struct dwarf_die *die, uint64_t address)
{
	struct range_search search = {.address = address};

	dwarf_lookup_ranges(&table->sections, unit, die, search_range, &search);
	return search.is_found;
}

static const struct inline_origin no_origin = {.offset = UINT64_MAX};

/*
 * What an attribute of an entry refers to: another of the same file, or of its supplementary file,
 * which has none itself.
 */
static struct inline_origin referred(const struct dwarf_value *value, bool is_in_supplement)
{
	struct inline_origin origin = {.offset = value->number,
				       .is_in_supplement = is_in_supplement};

	switch (value->form) {
	case DW_FORM_ref1:
	case DW_FORM_ref2:
	case DW_FORM_ref4:
	case DW_FORM_ref8:
	case DW_FORM_ref_udata:
	case DW_FORM_ref_addr:
		return origin;
	case DW_FORM_GNU_ref_alt:
	case DW_FORM_ref_sup4:
	case DW_FORM_ref_sup8:
		origin.is_in_supplement = true;
		return is_in_supplement ? no_origin : origin;
	default:
		return no_origin;
	}
}

static void push_call(struct inline_chain *chain, const struct dwarf_die *die)
{
	struct inline_call call = {
		.origin = referred(&die->values[DWARF_ORIGIN], false),
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
	struct inline_table *table;
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
		} else if (die.has_children ? ++walk->depth > NESTING_MAX
					    : walk->depth + 1 == walk->function_depth) {
			return;
		}
	}
}

static double spent_seconds(void)
{
	return clock_read_seconds(CLOCK_THREAD_CPUTIME_ID);
}

int inline_table_find(struct inline_table *table, uint64_t address, struct inline_chain *chain)
{
	const struct unit_range *range = unit_ranges_find(&table->ranges, address);
	struct walk walk = {.table = table, .address = address, .chain = chain};
	double began = spent_seconds();
	bool is_known;

	*chain = (struct inline_chain){0};
	if (!range || table->spent_seconds > SECONDS_MAX)
		return -ENOENT;
	table->sections.range_reads_left = FIND_RANGE_READS;
	walk.unit = inline_table_unit(table, table->units[range->unit]);
	is_known = walk.unit != NULL;
	if (is_known) {
		chain->line_unit = walk.unit->root.values[DWARF_STMT_LIST].number;
		walk_unit(&walk);
	}
	inline_table_trim(table);
	table->spent_seconds += spent_seconds() - began;
	return is_known ? 0 : -ENOENT;
}

/* ---- Names ---- */

/* Reads the entry at an offset; false when there is none. */
static bool read_entry(struct inline_table *table, uint64_t offset, const struct dwarf_unit **unit,
		       struct dwarf_die *die)
{
	struct dwarf_reader reader;

	*unit = inline_table_unit_of(table, offset);
	if (!*unit)
		return false;
	reader = dwarf_unit_reader(*unit, offset);
	return dwarf_unit_read_die(*unit, &reader, die) && die->tag;
}

/* The table of the file that an entry is in; NULL: it can't be followed there. */
static struct inline_table *table_of(struct inline_table *table, struct inline_origin origin)
{
	if (origin.offset == UINT64_MAX)
		return NULL;
	return origin.is_in_supplement ? table->supplement : table;
}

/* The function's declaration, or the one that it completes. */
static struct inline_origin next_origin(const struct dwarf_die *die, struct inline_origin origin)
{
	struct inline_origin next = referred(&die->values[DWARF_ORIGIN], origin.is_in_supplement);

	if (next.offset == UINT64_MAX)
		next = referred(&die->values[DWARF_SPECIFICATION], origin.is_in_supplement);
	return next;
}

static int find_name(struct inline_table *table, struct inline_origin origin,
		     char name[static SYMBOL_NAME_MAX_BYTES])
{
	char linkage_name[SYMBOL_NAME_MAX_BYTES];
	int error = -ENOENT;

	for (int i = 0; i < REFERENCES_MAX; i++) {
		struct inline_table *owner = table_of(table, origin);
		const struct dwarf_unit *unit;
		struct dwarf_die die;

		if (!owner || !read_entry(owner, origin.offset, &unit, &die))
			break;
		if (!dwarf_lookup_string(&owner->sections, unit, &die.values[DWARF_LINKAGE_NAME],
					 linkage_name)) {
			memcpy(name, linkage_name, strlen(linkage_name) + 1);
			return 0;
		}
		/* The plain name, unless a further entry has the other one. */
		if (error)
			error = dwarf_lookup_string(&owner->sections, unit, &die.values[DWARF_NAME],
						    name);
		origin = next_origin(&die, origin);
	}
	return error;
}

int inline_table_name(struct inline_table *table, struct inline_origin origin,
		      char name[static SYMBOL_NAME_MAX_BYTES])
{
	double began = spent_seconds();
	int error = find_name(table, origin, name);

	inline_table_trim(table);
	if (table->supplement)
		inline_table_trim(table->supplement);
	table->spent_seconds += spent_seconds() - began;
	return error;
}
