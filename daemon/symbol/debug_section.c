/* SPDX-License-Identifier: Apache-2.0 */
#include "symbol/debug_section.h"

#include <errno.h>
#include <gelf.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* libelf inflates into memory: what it may take for a moment. Uncompressed sections are not bound.
 */
#define INFLATED_MAX_BYTES (32u << 20)

/* libelf inflates into its memory, which goes when the handle does; the copy stays. */
static int inflate_section(Elf_Scn *scn, uint64_t inflated_max, struct debug_section *section)
{
	GElf_Chdr header;
	Elf_Data *data;
	int error, fd;

	if (!gelf_getchdr(scn, &header) || header.ch_size > inflated_max)
		return 0;
	if (elf_compress(scn, 0, 0) < 0)
		return -ENOEXEC;
	data = elf_rawdata(scn, NULL);
	if (!data || !data->d_buf)
		return -ENOEXEC;
	fd = memfd_create("memwatch-debug-section", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	error = elf_file_write(fd, data->d_buf, data->d_size);
	if (error) {
		close(fd);
		return error;
	}
	*section = (struct debug_section){.inflated_fd = fd, .bytes = data->d_size};
	return 0;
}

static int open_section(Elf_Scn *scn, const GElf_Shdr *header, uint64_t file_bytes,
			uint64_t inflated_max, struct debug_section *section)
{
	if (header->sh_type == SHT_NOBITS || header->sh_offset > file_bytes ||
	    header->sh_size > file_bytes - header->sh_offset)
		return 0;
	if (header->sh_flags & SHF_COMPRESSED)
		return header->sh_size > inflated_max ? 0
						      : inflate_section(scn, inflated_max, section);
	section->offset = header->sh_offset;
	section->bytes = header->sh_size;
	return 0;
}

/* The first section of a name that has contents. */
static int find_one(Elf *elf, uint64_t file_bytes, uint64_t inflated_max, const char *wanted,
		    struct debug_section *section)
{
	Elf_Scn *scn = NULL;
	size_t names;
	int error = 0;

	if (elf_getshdrstrndx(elf, &names))
		return -ENOEXEC;
	while (!error && !section->bytes && (scn = elf_nextscn(elf, scn))) {
		const char *name;
		GElf_Shdr header;

		if (!gelf_getshdr(scn, &header))
			return -ENOEXEC;
		name = elf_strptr(elf, names, header.sh_name);
		if (name && !strcmp(name, wanted))
			error = open_section(scn, &header, file_bytes, inflated_max, section);
	}
	return error;
}

int debug_sections_find(const struct symbol_file *file, uint64_t inflated_max,
			const char *const names[], size_t count, struct debug_section sections[])
{
	Elf *elf = elf_file_open(file->fd);
	int error = 0;

	for (size_t i = 0; i < count; i++)
		sections[i] = (struct debug_section){.inflated_fd = -1};
	if (!elf)
		return -ENOEXEC;
	for (size_t i = 0; i < count && !error; i++) {
		uint64_t left = inflated_max - debug_sections_bytes(sections, i);

		error = find_one(elf, file->bytes, left, names[i], &sections[i]);
	}
	elf_end(elf);
	return error;
}

uint64_t debug_sections_bytes(const struct debug_section sections[], size_t count)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < count; i++)
		if (sections[i].inflated_fd >= 0)
			bytes += sections[i].bytes;
	return bytes;
}

int debug_section_read(const struct debug_section *section, int fd, void *buffer, size_t size,
		       uint64_t offset)
{
	if (offset > section->bytes || size > section->bytes - offset)
		return -EIO;
	return elf_file_read(section->inflated_fd >= 0 ? section->inflated_fd : fd, buffer, size,
			     section->offset + offset);
}

void debug_section_close(struct debug_section *section)
{
	if (section->inflated_fd >= 0)
		close(section->inflated_fd);
	*section = (struct debug_section){.inflated_fd = -1};
}
