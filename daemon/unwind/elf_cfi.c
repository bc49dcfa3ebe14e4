/* SPDX-License-Identifier: Apache-2.0 */
#include "unwind/elf_cfi.h"

#include "unwind/machine.h"

#include <errno.h>
#include <gelf.h>
#include <string.h>

/* The largest programs have 100 MiB. */
#define SECTION_BYTES_MAX (256ULL << 20)

static int read_segments(struct elf_cfi *cfi)
{
	size_t count;

	if (elf_getphdrnum(cfi->elf, &count))
		return -ENOEXEC;
	for (size_t i = 0; i < count && cfi->segment_count < ELF_CFI_SEGMENTS_MAX; i++) {
		GElf_Phdr header;

		if (!gelf_getphdr(cfi->elf, (int)i, &header))
			return -ENOEXEC;
		if (header.p_type != PT_LOAD || !(header.p_flags & PF_X) || !header.p_filesz ||
		    header.p_vaddr + header.p_filesz < header.p_vaddr)
			continue;
		cfi->segments[cfi->segment_count++] = (struct elf_cfi_segment){
			.start = header.p_vaddr, .end = header.p_vaddr + header.p_filesz};
	}
	return cfi->segment_count ? 0 : -ENOEXEC;
}

/* Undoes a section's compression in the handle's memory, if it isn't to become too large. */
static bool decompress(Elf_Scn *section, const GElf_Shdr *header)
{
	GElf_Chdr compression;

	if (!(header->sh_flags & SHF_COMPRESSED))
		return true;
	return gelf_getchdr(section, &compression) && compression.ch_size <= SECTION_BYTES_MAX &&
	       elf_compress(section, 0, 0) >= 0;
}

static int read_section(Elf_Scn *section, const GElf_Shdr *header, bool is_debug_frame,
			struct cfi_section *found)
{
	const Elf_Data *data;

	if (header->sh_type == SHT_NOBITS || !header->sh_size)
		return 0;
	if (header->sh_size > SECTION_BYTES_MAX)
		return -E2BIG;
	if (!decompress(section, header))
		return 0;
	data = elf_rawdata(section, NULL);
	if (!data || !data->d_buf)
		return 0;
	*found = (struct cfi_section){.bytes = data->d_buf,
				      .size = data->d_size,
				      .address = header->sh_addr,
				      .is_debug_frame = is_debug_frame};
	return 0;
}

static int read_sections(struct elf_cfi *cfi)
{
	Elf_Scn *section = NULL;
	size_t names;
	int error = 0;

	if (elf_getshdrstrndx(cfi->elf, &names))
		return 0;
	while (!error && (section = elf_nextscn(cfi->elf, section))) {
		GElf_Shdr header;
		const char *name;

		if (!gelf_getshdr(section, &header))
			continue;
		name = elf_strptr(cfi->elf, names, header.sh_name);
		if (!name)
			continue;
		if (strcmp(name, ".eh_frame") == 0)
			error = read_section(section, &header, false, &cfi->eh_frame);
		else if (strcmp(name, ".debug_frame") == 0)
			error = read_section(section, &header, true, &cfi->debug_frame);
	}
	return error;
}

/* ---- Where section headers don't serve ---- */

/* The loaded segment that holds an address, of which the file has contents. */
static bool find_loaded(Elf *elf, uint64_t address, GElf_Phdr *segment)
{
	size_t count;

	if (elf_getphdrnum(elf, &count))
		return false;
	for (size_t i = 0; i < count; i++)
		if (gelf_getphdr(elf, (int)i, segment) && segment->p_type == PT_LOAD &&
		    address >= segment->p_vaddr && address - segment->p_vaddr < segment->p_filesz)
			return true;
	return false;
}

struct cfi_section elf_cfi_read(const struct elf_cfi *cfi, uint64_t address, uint64_t size_max)
{
	const struct cfi_section nothing = {0};
	const Elf_Data *data;
	GElf_Phdr segment;
	uint64_t skipped, size;

	if (!find_loaded(cfi->elf, address, &segment))
		return nothing;
	skipped = address - segment.p_vaddr;
	size = segment.p_filesz - skipped;
	if (size > size_max)
		size = size_max;
	if (segment.p_offset > INT64_MAX - skipped)
		return nothing;
	data = elf_getdata_rawchunk(cfi->elf, (int64_t)(segment.p_offset + skipped), size,
				    ELF_T_BYTE);
	if (!data || !data->d_buf)
		return nothing;
	return (struct cfi_section){.bytes = data->d_buf, .size = data->d_size, .address = address};
}

/* Version, encodings of the pointer, of the count and of the table; then the pointer. */
#define EH_FRAME_HEADER_BYTES (4 + 8)

/* Where .eh_frame is, as unwinders find it at run time (Linux Standard Base 5.0, 10.6.2). */
static bool find_eh_frame(const struct elf_cfi *cfi, uint64_t *address)
{
	struct cfi_section header;
	struct cfi_reader reader;
	GElf_Phdr segment;
	uint8_t encoding;
	size_t count;

	if (elf_getphdrnum(cfi->elf, &count))
		return false;
	for (size_t i = 0; i < count; i++) {
		if (!gelf_getphdr(cfi->elf, (int)i, &segment) || segment.p_type != PT_GNU_EH_FRAME)
			continue;
		header = elf_cfi_read(cfi, segment.p_vaddr, EH_FRAME_HEADER_BYTES);
		if (!header.bytes)
			return false;
		reader = cfi_reader_new(header.bytes, header.size);
		if (cfi_unsigned(&reader, 1) != 1)
			return false;
		encoding = (uint8_t)cfi_unsigned(&reader, 1);
		cfi_unsigned(&reader, 2);
		*address = cfi_address(&header, &reader, encoding);
		return !reader.is_broken;
	}
	return false;
}

/* How many bytes of entries there are, up to a length of zero; false when that isn't among them. */
static bool find_end(const struct cfi_section *section, size_t *end)
{
	struct cfi_reader reader = cfi_reader_new(section->bytes, section->size);
	uint64_t length;

	do {
		*end = (size_t)(reader.at - section->bytes);
		length = cfi_unsigned(&reader, 4);
		if (length == 0xffffffff)
			length = cfi_unsigned(&reader, 8);
		cfi_bytes(&reader, length);
	} while (length && !reader.is_broken);
	return !reader.is_broken;
}

/* Nothing says how large it is, and its segment may be many times as large: it is read by parts. */
#define PART_BYTES_MIN (1ULL << 20)

static void read_loaded_eh_frame(struct elf_cfi *cfi)
{
	struct cfi_section section;
	uint64_t address;
	size_t end;

	if (cfi->eh_frame.bytes || !find_eh_frame(cfi, &address))
		return;
	for (uint64_t wanted = PART_BYTES_MIN; wanted <= SECTION_BYTES_MAX; wanted *= 4) {
		section = elf_cfi_read(cfi, address, wanted);
		if (!section.bytes)
			return;
		/* What linkers end by nothing but their segment's end is whole as well. */
		if (find_end(&section, &end) || section.size < wanted) {
			section.size = end;
			cfi->eh_frame = section;
			return;
		}
	}
}

int elf_cfi_open(Elf *elf, struct elf_cfi *cfi)
{
	GElf_Ehdr header;
	int error;

	*cfi = (struct elf_cfi){.elf = elf};
	if (!elf || !gelf_getehdr(elf, &header) || header.e_ident[EI_CLASS] != ELFCLASS64 ||
	    header.e_ident[EI_DATA] != ELFDATA2LSB || header.e_machine != MACHINE_ELF)
		return -ENOEXEC;
	cfi->entry = header.e_entry;
	error = read_segments(cfi);
	error = error ? error : read_sections(cfi);
	if (!error)
		read_loaded_eh_frame(cfi);
	return error;
}

void elf_cfi_close(struct elf_cfi *cfi)
{
	elf_end(cfi->elf);
	*cfi = (struct elf_cfi){0};
}

bool elf_cfi_is_code(const struct elf_cfi *cfi, uint64_t start, uint64_t end)
{
	for (size_t i = 0; i < cfi->segment_count; i++)
		if (start >= cfi->segments[i].start && end <= cfi->segments[i].end && start < end)
			return true;
	return false;
}
