/* SPDX-License-Identifier: Apache-2.0 */
#include "symbol/dwarf_abbrev.h"

#include <dwarf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HEADER_MAX_BYTES 40
/* Units of large C++ files have a few megabytes, those linked by LTO or of whole Rust crates more.
 */
#define UNIT_MAX_BYTES (16u << 20)
/* The first entry, with the compiler's command line where strings lie in the entry. */
#define ROOT_MAX_BYTES 8192

int dwarf_unit_read_header(const struct dwarf_sections *sections, uint64_t offset,
			   struct dwarf_unit *unit)
{
	const struct debug_section *info = &sections->items[DWARF_INFO];
	unsigned char header[HEADER_MAX_BYTES] = {0};
	struct dwarf_reader reader;
	uint64_t left, length;
	int error;

	*unit = (struct dwarf_unit){.offset = offset};
	if (offset >= info->bytes)
		return -EINVAL;
	left = info->bytes - offset;
	reader = dwarf_reader_new(header, left < sizeof(header) ? left : sizeof(header));
	error = debug_section_read(info, sections->fd, header, (size_t)(reader.end - reader.next),
				   offset);
	if (error)
		return error;
	length = dwarf_read_length(&reader, &unit->offset_bytes);
	unit->bytes = (uint64_t)(reader.next - header) + length;
	if (reader.has_failed || length > left || unit->bytes > left)
		return -EINVAL;
	unit->version = (unsigned int)dwarf_read_uint(&reader, 2);
	unit->type = DW_UT_compile;
	if (unit->version >= 5) {
		unit->type = (unsigned int)dwarf_read_uint(&reader, 1);
		unit->address_bytes = (unsigned int)dwarf_read_uint(&reader, 1);
		unit->abbrevs_offset = dwarf_read_uint(&reader, unit->offset_bytes);
		if (unit->type == DW_UT_skeleton || unit->type == DW_UT_split_compile)
			dwarf_skip(&reader, 8);
	} else {
		unit->abbrevs_offset = dwarf_read_uint(&reader, unit->offset_bytes);
		unit->address_bytes = (unsigned int)dwarf_read_uint(&reader, 1);
	}
	unit->entries_offset = offset + (uint64_t)(reader.next - header);
	if (reader.has_failed || unit->entries_offset - offset > unit->bytes)
		return -EINVAL;
	return unit->version < 2 || unit->version > 5 || unit->address_bytes != 8 ? -ENOTSUP : 0;
}

/* ---- Entries ---- */

static int known_attribute(uint32_t name)
{
	switch (name) {
	case DW_AT_name:
		return DWARF_NAME;
	case DW_AT_linkage_name:
	case DW_AT_MIPS_linkage_name:
		return DWARF_LINKAGE_NAME;
	case DW_AT_low_pc:
		return DWARF_LOW_PC;
	case DW_AT_high_pc:
		return DWARF_HIGH_PC;
	case DW_AT_ranges:
		return DWARF_RANGE_LIST;
	case DW_AT_abstract_origin:
		return DWARF_ORIGIN;
	case DW_AT_specification:
		return DWARF_SPECIFICATION;
	case DW_AT_sibling:
		return DWARF_SIBLING;
	case DW_AT_call_file:
		return DWARF_CALL_FILE;
	case DW_AT_call_line:
		return DWARF_CALL_LINE;
	case DW_AT_stmt_list:
		return DWARF_STMT_LIST;
	case DW_AT_str_offsets_base:
		return DWARF_STR_OFFSETS_BASE;
	case DW_AT_addr_base:
		return DWARF_ADDR_BASE;
	case DW_AT_rnglists_base:
		return DWARF_RNGLISTS_BASE;
	default:
		return -1;
	}
}

/* Of forms that have a fixed size; 0: it hasn't. */
static unsigned int form_bytes(const struct dwarf_unit *unit, uint32_t form)
{
	switch (form) {
	case DW_FORM_data1:
	case DW_FORM_ref1:
	case DW_FORM_flag:
	case DW_FORM_strx1:
	case DW_FORM_addrx1:
		return 1;
	case DW_FORM_data2:
	case DW_FORM_ref2:
	case DW_FORM_strx2:
	case DW_FORM_addrx2:
		return 2;
	case DW_FORM_strx3:
	case DW_FORM_addrx3:
		return 3;
	case DW_FORM_data4:
	case DW_FORM_ref4:
	case DW_FORM_strx4:
	case DW_FORM_addrx4:
	case DW_FORM_ref_sup4:
		return 4;
	case DW_FORM_data8:
	case DW_FORM_ref8:
	case DW_FORM_ref_sig8:
	case DW_FORM_ref_sup8:
		return 8;
	case DW_FORM_addr:
		return unit->address_bytes;
	case DW_FORM_ref_addr:
		return unit->version == 2 ? unit->address_bytes : unit->offset_bytes;
	case DW_FORM_strp:
	case DW_FORM_line_strp:
	case DW_FORM_strp_sup:
	case DW_FORM_sec_offset:
	case DW_FORM_GNU_strp_alt:
	case DW_FORM_GNU_ref_alt:
		return unit->offset_bytes;
	default:
		return 0;
	}
}

static void read_variable_value(struct dwarf_reader *reader, const struct dwarf_abbrev_spec *spec,
				struct dwarf_value *value)
{
	switch (spec->form) {
	case DW_FORM_udata:
	case DW_FORM_ref_udata:
	case DW_FORM_strx:
	case DW_FORM_addrx:
	case DW_FORM_loclistx:
	case DW_FORM_rnglistx:
	case DW_FORM_GNU_str_index:
	case DW_FORM_GNU_addr_index:
		value->number = dwarf_read_uleb(reader);
		break;
	case DW_FORM_sdata:
		value->number = (uint64_t)dwarf_read_sleb(reader);
		break;
	case DW_FORM_implicit_const:
		value->number = (uint64_t)spec->constant;
		break;
	case DW_FORM_flag_present:
		value->number = 1;
		break;
	case DW_FORM_string:
		value->text = dwarf_read_text(reader);
		break;
	case DW_FORM_data16:
		dwarf_skip(reader, 16);
		break;
	case DW_FORM_block1:
		dwarf_skip(reader, dwarf_read_uint(reader, 1));
		break;
	case DW_FORM_block2:
		dwarf_skip(reader, dwarf_read_uint(reader, 2));
		break;
	case DW_FORM_block4:
		dwarf_skip(reader, dwarf_read_uint(reader, 4));
		break;
	case DW_FORM_block:
	case DW_FORM_exprloc:
		dwarf_skip(reader, dwarf_read_uleb(reader));
		break;
	default:
		reader->has_failed = true;
	}
}

static struct dwarf_value read_value(const struct dwarf_unit *unit, struct dwarf_reader *reader,
				     struct dwarf_abbrev_spec spec)
{
	struct dwarf_value value = {0};
	unsigned int bytes;

	if (spec.form == DW_FORM_indirect)
		spec.form = (uint32_t)dwarf_read_uleb(reader);
	value.form = spec.form;
	bytes = form_bytes(unit, spec.form);
	if (bytes)
		value.number = dwarf_read_uint(reader, bytes);
	else
		read_variable_value(reader, &spec, &value);
	switch (spec.form) {
	case DW_FORM_ref1:
	case DW_FORM_ref2:
	case DW_FORM_ref4:
	case DW_FORM_ref8:
	case DW_FORM_ref_udata:
		value.number += unit->offset;
		break;
	}
	return value;
}

struct dwarf_reader dwarf_unit_reader(const struct dwarf_unit *unit, uint64_t offset)
{
	struct dwarf_reader reader = dwarf_reader_new(unit->data, unit->data_bytes);

	if (offset < unit->entries_offset)
		reader.has_failed = true;
	else
		dwarf_skip(&reader, offset - unit->offset);
	return reader;
}

bool dwarf_unit_read_die(const struct dwarf_unit *unit, struct dwarf_reader *reader,
			 struct dwarf_die *die)
{
	const struct dwarf_abbrev *abbrev;
	uint64_t code;

	memset(die, 0, sizeof(*die));
	if (reader->has_failed)
		return false;
	code = dwarf_read_uleb(reader);
	if (!code)
		return !reader->has_failed;
	abbrev = dwarf_abbrev_find(unit, code);
	if (!abbrev)
		return false;
	die->tag = abbrev->tag;
	die->has_children = abbrev->has_children;
	for (uint32_t i = 0; i < abbrev->spec_count && !reader->has_failed; i++) {
		int known = known_attribute(abbrev->specs[i].name);
		struct dwarf_value value = read_value(unit, reader, abbrev->specs[i]);

		if (known >= 0)
			die->values[known] = value;
	}
	return die->tag && !reader->has_failed;
}

/* ---- Units ---- */

static int read_data(const struct dwarf_sections *sections, struct dwarf_unit *unit,
		     uint64_t bytes_max)
{
	unit->data_bytes = unit->bytes < bytes_max ? unit->bytes : bytes_max;
	unit->data = malloc(unit->data_bytes);
	if (!unit->data)
		return -ENOMEM;
	return debug_section_read(&sections->items[DWARF_INFO], sections->fd, unit->data,
				  unit->data_bytes, unit->offset);
}

static int read_root_entry(struct dwarf_unit *unit)
{
	struct dwarf_reader reader = dwarf_unit_reader(unit, unit->entries_offset);

	return dwarf_unit_read_die(unit, &reader, &unit->root) && unit->root.tag ? 0 : -EINVAL;
}

int dwarf_unit_read_root(const struct dwarf_sections *sections, struct dwarf_unit *unit)
{
	int error = read_data(sections, unit, ROOT_MAX_BYTES);
	struct dwarf_reader reader;

	if (error)
		return error;
	reader = dwarf_unit_reader(unit, unit->entries_offset);
	error = dwarf_abbrev_read_one(sections, unit, dwarf_read_uleb(&reader));
	return error ? error : read_root_entry(unit);
}

int dwarf_unit_read(const struct dwarf_sections *sections, struct dwarf_unit *unit)
{
	int error;

	if (unit->bytes > UNIT_MAX_BYTES)
		return -EFBIG;
	error = read_data(sections, unit, UNIT_MAX_BYTES);
	if (!error)
		error = dwarf_abbrev_read_all(sections, unit);
	return error ? error : read_root_entry(unit);
}

void dwarf_unit_clear(struct dwarf_unit *unit)
{
	free(unit->data);
	free(unit->abbrevs);
	unit->data = NULL;
	unit->abbrevs = NULL;
	unit->data_bytes = unit->abbrevs_bytes = unit->abbrev_count = 0;
}
