/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One unit of .debug_info: its entries (DIEs) and those of their attributes that tell where code
 * was inlined. It is read here rather than by libdw, which reads whole sections into memory and
 * opens further files (.dwo, .gnu_debugaltlink) by whatever path a file states, whoever they belong
 * to.
 */
#ifndef MEMWATCH_SYMBOL_DWARF_UNIT_H
#define MEMWATCH_SYMBOL_DWARF_UNIT_H

#include "symbol/debug_section.h"
#include "symbol/dwarf_reader.h"

enum dwarf_section {
	DWARF_INFO,
	DWARF_ABBREV,
	DWARF_STR,
	DWARF_LINE_STR,
	DWARF_STR_OFFSETS,
	DWARF_ADDR,
	DWARF_RANGES,
	DWARF_RNGLISTS,
	DWARF_SECTION_COUNT,
};

struct dwarf_sections {
	int fd; /* of the file that they lie in, borrowed */
	struct debug_section items[DWARF_SECTION_COUNT];
	uint32_t range_reads_left; /* pieces of lists of ranges that may yet be read */
	/* Of the supplementary file that attributes refer to; borrowed. NULL: there is none. */
	const struct dwarf_sections *supplement;
};

/* Attributes that matter here. */
enum dwarf_attribute {
	DWARF_NAME,
	DWARF_LINKAGE_NAME,
	DWARF_LOW_PC,
	DWARF_HIGH_PC,
	DWARF_RANGE_LIST,
	DWARF_ORIGIN,
	DWARF_SPECIFICATION,
	DWARF_SIBLING,
	DWARF_CALL_FILE,
	DWARF_CALL_LINE,
	DWARF_STMT_LIST,
	DWARF_STR_OFFSETS_BASE,
	DWARF_ADDR_BASE,
	DWARF_RNGLISTS_BASE,
	DWARF_ATTRIBUTE_COUNT,
};

struct dwarf_value {
	unsigned int form; /* DW_FORM_*; 0: the entry has no such attribute */
	uint64_t number;   /* a reference to an entry: its offset in that file's .debug_info */
	const char *text;  /* of DW_FORM_string, borrowed from the unit */
};

struct dwarf_die {
	uint64_t tag; /* DW_TAG_*; 0 ends a list of children */
	bool has_children;
	struct dwarf_value values[DWARF_ATTRIBUTE_COUNT];
};

struct dwarf_abbrev;

struct dwarf_unit {
	uint64_t offset; /* in .debug_info */
	uint64_t bytes;  /* header included */
	uint64_t entries_offset, abbrevs_offset;
	unsigned int version, offset_bytes, address_bytes, type;

	/* Of its first entry; absent ones are 0. */
	struct dwarf_die root;
	uint64_t base_address;

	/* What is in memory of it, from its start. */
	unsigned char *data;
	size_t data_bytes;
	struct dwarf_abbrev *abbrevs;
	size_t abbrev_count;
	size_t abbrevs_bytes; /* in memory */
};

/*
 * Reads the header of the unit at an offset of .debug_info. Returns 0, -EINVAL when none can be
 * there, -ENOTSUP for a version or an address size that isn't known (unit->bytes is right then, so
 * that it can be skipped), other -errno.
 */
int dwarf_unit_read_header(const struct dwarf_sections *sections, uint64_t offset,
			   struct dwarf_unit *unit);
/*
 * Reads the unit whose header is known: its first entry alone, or all. Returns 0, -EINVAL when it
 * is malformed, -EFBIG, other -errno. Clear it in any case.
 */
int dwarf_unit_read_root(const struct dwarf_sections *sections, struct dwarf_unit *unit);
int dwarf_unit_read(const struct dwarf_sections *sections, struct dwarf_unit *unit);
void dwarf_unit_clear(struct dwarf_unit *unit);

/* Reads entries one after the other, from an offset in .debug_info. */
struct dwarf_reader dwarf_unit_reader(const struct dwarf_unit *unit, uint64_t offset);
/* False when the reader has failed or the entry is malformed. */
bool dwarf_unit_read_die(const struct dwarf_unit *unit, struct dwarf_reader *reader,
			 struct dwarf_die *die);

#endif
