/* SPDX-License-Identifier: Apache-2.0 */
#include "unwind/cfi_entry.h"

#include <dwarf.h>

/* The part of an encoding that says what an address is relative to. */
#define ENCODING_BASE_MASK 0x70

/* The number alone, without what it is relative to. */
static uint64_t encoded_number(struct cfi_reader *reader, uint8_t encoding)
{
	switch (encoding & 0x0f) {
	case DW_EH_PE_absptr:
	case DW_EH_PE_udata8:
	case DW_EH_PE_sdata8:
		return cfi_unsigned(reader, 8);
	case DW_EH_PE_udata4:
		return cfi_unsigned(reader, 4);
	case DW_EH_PE_sdata4:
		return (uint64_t)(int64_t)(int32_t)cfi_unsigned(reader, 4);
	case DW_EH_PE_udata2:
		return cfi_unsigned(reader, 2);
	case DW_EH_PE_sdata2:
		return (uint64_t)(int64_t)(int16_t)cfi_unsigned(reader, 2);
	case DW_EH_PE_uleb128:
		return cfi_uleb(reader);
	case DW_EH_PE_sleb128:
		return (uint64_t)cfi_sleb(reader);
	default:
		reader->is_broken = true;
		return 0;
	}
}

uint64_t cfi_address(const struct cfi_section *section, struct cfi_reader *reader, uint8_t encoding)
{
	uint64_t place = section->address + (uint64_t)(reader->at - section->bytes);
	uint64_t number = encoded_number(reader, encoding);

	if (encoding & DW_EH_PE_indirect)
		reader->is_broken = true;
	switch (encoding & ENCODING_BASE_MASK) {
	case DW_EH_PE_absptr:
		return number;
	case DW_EH_PE_pcrel:
		return place + number;
	default:
		reader->is_broken = true;
		return 0;
	}
}

/* The letters behind the z, whose data lie in a block of known length. */
static bool read_augmentation(const struct cfi_section *section, const char *letters,
			      struct cfi_reader *data, struct cfi_cie *cie)
{
	for (; *letters; letters++) {
		switch (*letters) {
		case 'R':
			cie->address_encoding = (uint8_t)cfi_unsigned(data, 1);
			break;
		case 'L':
			cfi_unsigned(data, 1);
			break;
		case 'P': {
			uint8_t encoding = (uint8_t)cfi_unsigned(data, 1);

			/* The personality routine doesn't matter, only how long its address is. */
			encoded_number(data, encoding);
			break;
		}
		case 'S':
			cie->is_signal_frame = true;
			break;
		case 'B': /* pointer authentication, of another architecture */
			break;
		default:
			return false;
		}
	}
	(void)section;
	return !data->is_broken;
}

/* reader stands behind the CIE's identifier. */
static bool read_cie(const struct cfi_section *section, struct cfi_reader *reader,
		     struct cfi_cie *cie)
{
	uint64_t version = cfi_unsigned(reader, 1);
	const char *augmentation = (const char *)reader->at;
	const uint8_t *zero = memchr(reader->at, 0, cfi_left(reader));

	*cie = (struct cfi_cie){.address_encoding = DW_EH_PE_absptr};
	if (!zero || (version != 1 && version != 3 && version != 4))
		return false;
	reader->at = zero + 1;
	/* Size of addresses, size of segment selectors. */
	if (version == 4 && cfi_unsigned(reader, 2) != 8)
		return false;
	cie->code_factor = cfi_uleb(reader);
	cie->data_factor = cfi_sleb(reader);
	cie->return_register = version == 1 ? cfi_unsigned(reader, 1) : cfi_uleb(reader);
	if (augmentation[0] == 'z') {
		uint64_t size = cfi_uleb(reader);
		const uint8_t *bytes = cfi_bytes(reader, size);
		struct cfi_reader data;

		if (!bytes)
			return false;
		data = cfi_reader_new(bytes, size);
		cie->has_augmentation_data = true;
		if (!read_augmentation(section, augmentation + 1, &data, cie))
			return false;
	} else if (augmentation[0]) {
		return false;
	}
	cie->program = reader->at;
	cie->program_size = cfi_left(reader);
	return !reader->is_broken;
}

/* One entry as it lies there. */
struct raw_entry {
	struct cfi_reader body; /* behind the length */
	size_t id_size;         /* 4 or 8 */
	uint64_t next_offset;
};

/* Returns false at the end of the section, or where no further entry can be made out. */
static bool read_raw(const struct cfi_section *section, uint64_t offset, struct raw_entry *entry)
{
	struct cfi_reader reader;
	const uint8_t *body;
	uint64_t length;

	if (offset >= section->size)
		return false;
	reader = cfi_reader_new(section->bytes + offset, section->size - offset);
	entry->id_size = 4;
	length = cfi_unsigned(&reader, 4);
	if (length == 0xffffffff) {
		length = cfi_unsigned(&reader, 8);
		entry->id_size = section->is_debug_frame ? 8 : 4;
	}
	body = length ? cfi_bytes(&reader, length) : NULL;
	if (!body || reader.is_broken)
		return false;
	entry->body = cfi_reader_new(body, length);
	entry->next_offset = (uint64_t)(reader.at - section->bytes);
	return true;
}

static bool is_cie_id(const struct cfi_section *section, uint64_t id, size_t id_size)
{
	if (!section->is_debug_frame)
		return id == 0;
	return id == (id_size == 4 ? 0xffffffff : UINT64_MAX);
}

static bool find_cie(const struct cfi_section *section, uint64_t offset,
		     struct cfi_cie_cache *cache)
{
	struct raw_entry entry;

	if (cache->is_filled && cache->offset == offset)
		return cache->is_good;
	*cache = (struct cfi_cie_cache){.is_filled = true, .offset = offset};
	if (read_raw(section, offset, &entry) &&
	    is_cie_id(section, cfi_unsigned(&entry.body, entry.id_size), entry.id_size) &&
	    !entry.body.is_broken)
		cache->is_good = read_cie(section, &entry.body, &cache->cie);
	return cache->is_good;
}

/* reader stands behind the FDE's pointer to its CIE. */
static bool read_fde(const struct cfi_section *section, struct cfi_reader *reader,
		     struct cfi_fde *fde)
{
	uint8_t encoding = fde->cie.address_encoding;

	fde->start = cfi_address(section, reader, encoding);
	fde->end = fde->start + encoded_number(reader, encoding & 0x0f);
	if (fde->cie.has_augmentation_data)
		cfi_bytes(reader, cfi_uleb(reader));
	fde->program = reader->at;
	fde->program_size = cfi_left(reader);
	return !reader->is_broken;
}

enum cfi_entry_kind cfi_entry_next(const struct cfi_section *section, uint64_t *offset,
				   struct cfi_cie_cache *cache, struct cfi_fde *fde)
{
	struct raw_entry entry;
	uint64_t id_offset, id;

	if (!read_raw(section, *offset, &entry))
		return CFI_ENTRY_END;
	*offset = entry.next_offset;
	id_offset = (uint64_t)(entry.body.at - section->bytes);
	id = cfi_unsigned(&entry.body, entry.id_size);
	if (entry.body.is_broken)
		return CFI_ENTRY_REFUSED;
	if (is_cie_id(section, id, entry.id_size))
		return CFI_ENTRY_CIE;
	/* In .eh_frame it is the distance back from the pointer itself. */
	if (!section->is_debug_frame && id > id_offset)
		return CFI_ENTRY_REFUSED;
	fde->cie_offset = section->is_debug_frame ? id : id_offset - id;
	if (!find_cie(section, fde->cie_offset, cache))
		return CFI_ENTRY_REFUSED;
	fde->cie = cache->cie;
	return read_fde(section, &entry.body, fde) ? CFI_ENTRY_FDE : CFI_ENTRY_REFUSED;
}
