/* SPDX-License-Identifier: Apache-2.0 */
#include "symbol/dwarf_abbrev.h"

#include <dwarf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The abbreviations of one unit: about 10 bytes for each; compilers need a few hundred. */
#define FEW_ABBREVS_BYTES  8192
#define ABBREVS_MAX_BYTES  (256u << 10)
#define ABBREVS_MAX        16384
#define SPECIFICATIONS_MAX 131072

struct abbrevs_builder {
	struct dwarf_abbrev *abbrevs;
	size_t abbrev_capacity;
	struct dwarf_abbrev_spec *specs;
	size_t spec_count, spec_capacity;
};

static int grow(void **array, size_t element_bytes, size_t count, size_t *capacity, size_t max)
{
	size_t wanted = *capacity ? *capacity * 2 : 64;
	void *grown;

	if (count < *capacity)
		return 0;
	if (count >= max)
		return -EFBIG;
	grown = realloc(*array, wanted * element_bytes);
	if (!grown)
		return -ENOMEM;
	*array = grown;
	*capacity = wanted;
	return 0;
}

static int parse_specs(struct dwarf_reader *reader, struct abbrevs_builder *builder)
{
	for (;;) {
		struct dwarf_abbrev_spec spec = {0};
		int error;

		spec.name = (uint32_t)dwarf_read_uleb(reader);
		spec.form = (uint32_t)dwarf_read_uleb(reader);
		if (spec.form == DW_FORM_implicit_const)
			spec.constant = dwarf_read_sleb(reader);
		if (reader->has_failed)
			return -EINVAL;
		if (!spec.name && !spec.form)
			return 0;
		error = grow((void **)&builder->specs, sizeof(spec), builder->spec_count,
			     &builder->spec_capacity, SPECIFICATIONS_MAX);
		if (error)
			return error;
		builder->specs[builder->spec_count++] = spec;
	}
}

/*
 * Up to the wanted one, or all when that is 0. The specs move while their array grows: pointers to
 * them are set at the end.
 */
static int parse_abbrevs(struct dwarf_reader *reader, struct abbrevs_builder *builder,
			 struct dwarf_unit *unit, uint64_t wanted)
{
	for (;;) {
		struct dwarf_abbrev abbrev = {.code = dwarf_read_uleb(reader)};
		size_t before = builder->spec_count;
		int error;

		if (!abbrev.code && !reader->has_failed)
			return 0;
		abbrev.tag = (uint32_t)dwarf_read_uleb(reader);
		abbrev.has_children = dwarf_read_uint(reader, 1);
		error = parse_specs(reader, builder);
		if (!error)
			error = grow((void **)&builder->abbrevs, sizeof(abbrev), unit->abbrev_count,
				     &builder->abbrev_capacity, ABBREVS_MAX);
		if (error)
			return error;
		abbrev.spec_count = (uint32_t)(builder->spec_count - before);
		builder->abbrevs[unit->abbrev_count++] = abbrev;
		if (abbrev.code == wanted)
			return 0;
	}
}

static int compare_abbrevs(const void *left, const void *right)
{
	const struct dwarf_abbrev *a = left, *b = right;

	return a->code < b->code ? -1 : a->code > b->code;
}

/* Into one piece of memory, which the unit owns. */
static int join_abbrevs(const struct abbrevs_builder *builder, struct dwarf_unit *unit)
{
	size_t abbrevs_bytes = unit->abbrev_count * sizeof(*builder->abbrevs);
	size_t specs_bytes = builder->spec_count * sizeof(*builder->specs);
	struct dwarf_abbrev_spec *specs;

	unit->abbrevs = malloc(abbrevs_bytes + specs_bytes + 1);
	if (!unit->abbrevs)
		return -ENOMEM;
	unit->abbrevs_bytes = abbrevs_bytes + specs_bytes;
	specs = (struct dwarf_abbrev_spec *)(unit->abbrevs + unit->abbrev_count);
	if (abbrevs_bytes)
		memcpy(unit->abbrevs, builder->abbrevs, abbrevs_bytes);
	if (specs_bytes)
		memcpy(specs, builder->specs, specs_bytes);
	for (size_t i = 0; i < unit->abbrev_count; i++) {
		unit->abbrevs[i].specs = specs;
		specs += unit->abbrevs[i].spec_count;
	}
	qsort(unit->abbrevs, unit->abbrev_count, sizeof(*unit->abbrevs), compare_abbrevs);
	return 0;
}

/* How many bytes the abbreviations of a unit have is known when they have been read. */
static int read_abbrevs(const struct dwarf_sections *sections, struct dwarf_unit *unit,
			size_t bytes_max, uint64_t wanted)
{
	const struct debug_section *section = &sections->items[DWARF_ABBREV];
	struct abbrevs_builder builder = {0};
	struct dwarf_reader reader;
	unsigned char *bytes;
	uint64_t left;
	int error;

	unit->abbrev_count = 0;
	if (unit->abbrevs_offset >= section->bytes)
		return -EINVAL;
	left = section->bytes - unit->abbrevs_offset;
	if (left > bytes_max)
		left = bytes_max;
	bytes = malloc(left);
	if (!bytes)
		return -ENOMEM;
	error = debug_section_read(section, sections->fd, bytes, left, unit->abbrevs_offset);
	reader = dwarf_reader_new(bytes, left);
	if (!error)
		error = parse_abbrevs(&reader, &builder, unit, wanted);
	if (!error)
		error = join_abbrevs(&builder, unit);
	free(builder.abbrevs);
	free(builder.specs);
	free(bytes);
	return error;
}

const struct dwarf_abbrev *dwarf_abbrev_find(const struct dwarf_unit *unit, uint64_t code)
{
	const struct dwarf_abbrev wanted = {.code = code};

	/* Compilers number them from 1. */
	if (code - 1 < unit->abbrev_count && unit->abbrevs[code - 1].code == code)
		return &unit->abbrevs[code - 1];
	if (!unit->abbrev_count)
		return NULL;
	return bsearch(&wanted, unit->abbrevs, unit->abbrev_count, sizeof(wanted), compare_abbrevs);
}

int dwarf_abbrev_read_one(const struct dwarf_sections *sections, struct dwarf_unit *unit,
			  uint64_t code)
{
	int error;

	if (!code)
		return -EINVAL;
	error = read_abbrevs(sections, unit, FEW_ABBREVS_BYTES, code);
	return error == -EINVAL ? read_abbrevs(sections, unit, ABBREVS_MAX_BYTES, code) : error;
}

int dwarf_abbrev_read_all(const struct dwarf_sections *sections, struct dwarf_unit *unit)
{
	return read_abbrevs(sections, unit, ABBREVS_MAX_BYTES, 0);
}
