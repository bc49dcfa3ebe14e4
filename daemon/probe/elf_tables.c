/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/elf_tables.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#if defined(__x86_64__)
#define NATIVE_MACHINE EM_X86_64
#elif defined(__aarch64__)
#define NATIVE_MACHINE EM_AARCH64
#else
#error "memwatch runs on x86-64 and aarch64"
#endif

/* Linked files have some dozens of sections, and names for them of less than a KiB. */
#define NAMES_BYTES_MAX (1ULL << 20)

int elf_tables_read(const struct elf_tables *tables, uint64_t offset, void *buffer, size_t bytes)
{
	char *to = buffer;

	if (offset > tables->file_bytes || bytes > tables->file_bytes - offset)
		return -ENOEXEC;
	while (bytes) {
		ssize_t count = pread(tables->fd, to, bytes, (off_t)offset);

		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0)
			return -errno;
		if (count == 0)
			return -ENOEXEC; /* cut short meanwhile */
		to += count;
		offset += (uint64_t)count;
		bytes -= (size_t)count;
	}
	return 0;
}

static int read_header(struct elf_tables *tables, Elf64_Ehdr *header)
{
	struct stat status;
	int error;

	if (fstat(tables->fd, &status))
		return -errno;
	if (!S_ISREG(status.st_mode))
		return -ENOEXEC;
	tables->file_bytes = (uint64_t)status.st_size;
	error = elf_tables_read(tables, 0, header, sizeof(*header));
	if (error)
		return error;
	if (memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 ||
	    header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_ident[EI_DATA] != ELFDATA2LSB ||
	    header->e_machine != NATIVE_MACHINE ||
	    (header->e_type != ET_EXEC && header->e_type != ET_DYN))
		return -ENOEXEC;
	return 0;
}

/* *table is NULL where the file has none. */
static int read_table(const struct elf_tables *tables, uint64_t offset, size_t count,
		      size_t entry_bytes, size_t entry_bytes_expected, void **table)
{
	*table = NULL;
	if (!offset || !count)
		return 0;
	if (entry_bytes != entry_bytes_expected)
		return -ENOEXEC;
	*table = calloc(count, entry_bytes);
	if (!*table)
		return -ENOMEM;
	return elf_tables_read(tables, offset, *table, count * entry_bytes);
}

static int read_section_names(struct elf_tables *tables, size_t index)
{
	const Elf64_Shdr *section;

	if (index >= tables->section_count)
		return 0;
	section = &tables->sections[index];
	if (section->sh_type != SHT_STRTAB)
		return -ENOEXEC;
	if (section->sh_size > NAMES_BYTES_MAX)
		return -EFBIG;
	tables->section_names = calloc(1, section->sh_size + 1);
	if (!tables->section_names)
		return -ENOMEM;
	tables->section_names_bytes = section->sh_size;
	return elf_tables_read(tables, section->sh_offset, tables->section_names, section->sh_size);
}

int elf_tables_open(int fd, struct elf_tables *tables)
{
	Elf64_Ehdr header = {0};
	void *table;
	int error;

	*tables = (struct elf_tables){.fd = fd};
	error = read_header(tables, &header);
	if (error)
		return error;
	error = read_table(tables, header.e_phoff, header.e_phnum, header.e_phentsize,
			   sizeof(Elf64_Phdr), &table);
	tables->segments = table;
	tables->segment_count = table ? header.e_phnum : 0;
	if (error)
		return error;
	error = read_table(tables, header.e_shoff, header.e_shnum, header.e_shentsize,
			   sizeof(Elf64_Shdr), &table);
	tables->sections = table;
	tables->section_count = table ? header.e_shnum : 0;
	return error ? error : read_section_names(tables, header.e_shstrndx);
}

void elf_tables_close(struct elf_tables *tables)
{
	free(tables->section_names);
	free(tables->sections);
	free(tables->segments);
	*tables = (struct elf_tables){.fd = -1};
}

const Elf64_Shdr *elf_tables_section(const struct elf_tables *tables, const char *name,
				     uint32_t type)
{
	for (size_t i = 0; i < tables->section_count; i++) {
		const Elf64_Shdr *section = &tables->sections[i];

		if (section->sh_type != type || section->sh_flags & SHF_COMPRESSED ||
		    section->sh_name >= tables->section_names_bytes ||
		    strcmp(tables->section_names + section->sh_name, name) != 0)
			continue;
		if (section->sh_offset <= tables->file_bytes &&
		    section->sh_size <= tables->file_bytes - section->sh_offset)
			return section;
	}
	return NULL;
}

uint64_t elf_tables_file_offset(const struct elf_tables *tables, uint64_t address, size_t bytes,
				uint32_t flags)
{
	for (size_t i = 0; i < tables->segment_count; i++) {
		const Elf64_Phdr *segment = &tables->segments[i];
		uint64_t distance = address - segment->p_vaddr;

		if (segment->p_type != PT_LOAD || (segment->p_flags & flags) != flags ||
		    address < segment->p_vaddr || distance >= segment->p_filesz ||
		    bytes > segment->p_filesz - distance)
			continue;
		if (segment->p_offset > tables->file_bytes ||
		    segment->p_filesz > tables->file_bytes - segment->p_offset)
			return 0;
		return segment->p_offset + distance;
	}
	return 0;
}
