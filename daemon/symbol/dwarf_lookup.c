/* SPDX-License-Identifier: Apache-2.0 */
#include "symbol/dwarf_lookup.h"

#include <dwarf.h>
#include <errno.h>
#include <string.h>

/* One piece of a list of ranges is read at a time; a unit of thousands of functions has 100 KiB. */
#define RANGES_CHUNK_BYTES 4096
#define RANGES_MAX_BYTES   (1u << 20)
/* The longest entry: its kind and two numbers. */
#define RANGE_MAX_BYTES 24

static int read_number(const struct dwarf_sections *sections, enum dwarf_section which,
		       uint64_t offset, unsigned int bytes, uint64_t *number)
{
	unsigned char buffer[8] = {0};
	struct dwarf_reader reader = dwarf_reader_new(buffer, bytes);

	if (debug_section_read(&sections->items[which], sections->fd, buffer, bytes, offset))
		return -ENOENT;
	*number = dwarf_read_uint(&reader, bytes);
	return 0;
}

/* An element of a table, whose first one lies at base. */
static int read_element(const struct dwarf_sections *sections, enum dwarf_section which,
			uint64_t base, uint64_t index, unsigned int bytes, uint64_t *number)
{
	uint64_t offset;

	if (__builtin_mul_overflow(index, bytes, &offset) ||
	    __builtin_add_overflow(offset, base, &offset))
		return -ENOENT;
	return read_number(sections, which, offset, bytes, number);
}

static int copy_text(const char *from, char text[static SYMBOL_NAME_MAX_BYTES])
{
	size_t length = strnlen(from, SYMBOL_NAME_MAX_BYTES - 1);

	memcpy(text, from, length);
	text[length] = '\0';
	return length ? 0 : -ENOENT;
}

/* Most are short. */
static int read_string(const struct dwarf_sections *sections, enum dwarf_section which,
		       uint64_t offset, char text[static SYMBOL_NAME_MAX_BYTES])
{
	static const size_t sizes[] = {128, SYMBOL_NAME_MAX_BYTES};
	const struct debug_section *section = &sections->items[which];

	if (offset >= section->bytes)
		return -ENOENT;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		uint64_t left = section->bytes - offset;
		size_t size = left < sizes[i] ? left : sizes[i];

		if (debug_section_read(section, sections->fd, text, size, offset))
			return -ENOENT;
		if (memchr(text, '\0', size))
			return text[0] ? 0 : -ENOENT;
		if (size == left)
			return -ENOENT;
	}
	text[SYMBOL_NAME_MAX_BYTES - 1] = '\0';
	return 0;
}

int dwarf_lookup_string(const struct dwarf_sections *sections, const struct dwarf_unit *unit,
			const struct dwarf_value *value, char text[static SYMBOL_NAME_MAX_BYTES])
{
	uint64_t base = unit->root.values[DWARF_STR_OFFSETS_BASE].number, offset;

	switch (value->form) {
	case DW_FORM_string:
		return copy_text(value->text, text);
	case DW_FORM_strp:
		return read_string(sections, DWARF_STR, value->number, text);
	case DW_FORM_line_strp:
		return read_string(sections, DWARF_LINE_STR, value->number, text);
	case DW_FORM_GNU_strp_alt:
	case DW_FORM_strp_sup:
		return sections->supplement
			       ? read_string(sections->supplement, DWARF_STR, value->number, text)
			       : -ENOENT;
	case DW_FORM_strx:
	case DW_FORM_strx1:
	case DW_FORM_strx2:
	case DW_FORM_strx3:
	case DW_FORM_strx4:
		if (read_element(sections, DWARF_STR_OFFSETS, base, value->number,
				 unit->offset_bytes, &offset))
			return -ENOENT;
		return read_string(sections, DWARF_STR, offset, text);
	default:
		return -ENOENT;
	}
}

static int read_indexed_address(const struct dwarf_sections *sections,
				const struct dwarf_unit *unit, uint64_t index, uint64_t *address)
{
	return read_element(sections, DWARF_ADDR, unit->root.values[DWARF_ADDR_BASE].number, index,
			    unit->address_bytes, address);
}

int dwarf_lookup_address(const struct dwarf_sections *sections, const struct dwarf_unit *unit,
			 const struct dwarf_value *value, uint64_t *address)
{
	switch (value->form) {
	case DW_FORM_addr:
		*address = value->number;
		return 0;
	case DW_FORM_addrx:
	case DW_FORM_addrx1:
	case DW_FORM_addrx2:
	case DW_FORM_addrx3:
	case DW_FORM_addrx4:
		return read_indexed_address(sections, unit, value->number, address);
	default:
		return -ENOENT;
	}
}

/* ---- Lists of ranges ---- */

struct range_list {
	struct dwarf_sections *sections;
	const struct dwarf_unit *unit;
	uint64_t base;
	dwarf_range_handler *handle;
	void *context;
};

static bool handle_range(const struct range_list *list, uint64_t start, uint64_t end)
{
	return start >= end || list->handle(list->context, start, end);
}

/* Reads one entry of .debug_ranges; false at the end of the list. */
static bool read_range(struct range_list *list, struct dwarf_reader *reader)
{
	uint64_t start = dwarf_read_uint(reader, 8), end = dwarf_read_uint(reader, 8);

	if (reader->has_failed || (!start && !end))
		return false;
	if (start == UINT64_MAX) {
		list->base = end;
		return true;
	}
	return handle_range(list, list->base + start, list->base + end);
}

/* Reads one entry of .debug_rnglists (DWARF 5). */
static bool read_typed_range(struct range_list *list, struct dwarf_reader *reader)
{
	uint64_t kind = dwarf_read_uint(reader, 1), start = 0, end = 0;

	switch (kind) {
	case DW_RLE_base_addressx:
		return !read_indexed_address(list->sections, list->unit, dwarf_read_uleb(reader),
					     &list->base);
	case DW_RLE_startx_endx:
		if (read_indexed_address(list->sections, list->unit, dwarf_read_uleb(reader),
					 &start) ||
		    read_indexed_address(list->sections, list->unit, dwarf_read_uleb(reader), &end))
			return false;
		break;
	case DW_RLE_startx_length:
		if (read_indexed_address(list->sections, list->unit, dwarf_read_uleb(reader),
					 &start))
			return false;
		end = start + dwarf_read_uleb(reader);
		break;
	case DW_RLE_offset_pair:
		start = list->base + dwarf_read_uleb(reader);
		end = list->base + dwarf_read_uleb(reader);
		break;
	case DW_RLE_base_address:
		list->base = dwarf_read_uint(reader, 8);
		break;
	case DW_RLE_start_end:
		start = dwarf_read_uint(reader, 8);
		end = dwarf_read_uint(reader, 8);
		break;
	case DW_RLE_start_length:
		start = dwarf_read_uint(reader, 8);
		end = start + dwarf_read_uleb(reader);
		break;
	default: /* the end of the list among them */
		return false;
	}
	return !reader->has_failed && handle_range(list, start, end);
}

static void read_ranges(struct range_list *list, enum dwarf_section which, uint64_t offset)
{
	const struct debug_section *section = &list->sections->items[which];
	unsigned char chunk[RANGES_CHUNK_BYTES];
	uint64_t end = section->bytes;

	if (offset >= section->bytes)
		return;
	if (section->bytes - offset > RANGES_MAX_BYTES)
		end = offset + RANGES_MAX_BYTES;
	while (offset < end && list->sections->range_reads_left > 0) {
		size_t size = end - offset < sizeof(chunk) ? end - offset : sizeof(chunk);
		struct dwarf_reader reader = dwarf_reader_new(chunk, size);
		bool goes_on = true;

		list->sections->range_reads_left--;
		if (debug_section_read(section, list->sections->fd, chunk, size, offset))
			return;
		/* An entry that may be cut off is left to the next chunk. */
		while (goes_on &&
		       (offset + size == end ? reader.next < reader.end
					     : reader.end - reader.next >= RANGE_MAX_BYTES))
			goes_on = which == DWARF_RANGES ? read_range(list, &reader)
							: read_typed_range(list, &reader);
		if (!goes_on)
			return;
		offset += (uint64_t)(reader.next - chunk);
	}
}

static void lookup_list(struct range_list *list, const struct dwarf_value *value)
{
	uint64_t base = list->unit->root.values[DWARF_RNGLISTS_BASE].number, offset;

	if (value->form == DW_FORM_rnglistx) {
		if (!read_element(list->sections, DWARF_RNGLISTS, base, value->number,
				  list->unit->offset_bytes, &offset) &&
		    !__builtin_add_overflow(offset, base, &offset))
			read_ranges(list, DWARF_RNGLISTS, offset);
	} else if (list->unit->version >= 5) {
		read_ranges(list, DWARF_RNGLISTS, value->number);
	} else {
		read_ranges(list, DWARF_RANGES, value->number);
	}
}

void dwarf_lookup_ranges(struct dwarf_sections *sections, const struct dwarf_unit *unit,
			 const struct dwarf_die *die, dwarf_range_handler *handle, void *context)
{
	const struct dwarf_value *high = &die->values[DWARF_HIGH_PC];
	struct range_list list = {
		.sections = sections,
		.unit = unit,
		.base = unit->base_address,
		.handle = handle,
		.context = context,
	};
	uint64_t start, end;

	if (die->values[DWARF_RANGE_LIST].form) {
		lookup_list(&list, &die->values[DWARF_RANGE_LIST]);
		return;
	}
	if (!high->form || dwarf_lookup_address(sections, unit, &die->values[DWARF_LOW_PC], &start))
		return;
	/* It is an address, or else a number of bytes. */
	if (dwarf_lookup_address(sections, unit, high, &end))
		end = start + high->number;
	handle_range(&list, start, end);
}
