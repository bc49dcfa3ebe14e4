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
	return error ? error : read_sections(cfi);
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
