/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the file piece by piece with pread and never maps it: whoever can write to the file could
 * cut it short under a mapping, and SIGBUS would end the daemon.
 */
#include "probe/elf_program.h"

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

/* Bounds on what a file may make us read; real ones stay far below. */
#define TABLE_BYTES_MAX (64ULL << 20)
/* Linked files have some dozens of sections, and names for them of less than a KiB. */
#define NAMES_BYTES_MAX     (1ULL << 20)
#define DYNAMIC_ENTRIES_MAX 4096

int elf_program_read(const struct elf_program *program, uint64_t offset, void *buffer, size_t bytes)
{
	char *to = buffer;

	if (offset > program->file_bytes || bytes > program->file_bytes - offset)
		return -ENOEXEC;
	while (bytes) {
		ssize_t count = pread(program->fd, to, bytes, (off_t)offset);

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

static int header_read(struct elf_program *program)
{
	Elf64_Ehdr *header = &program->header;
	struct stat status;
	int error;

	if (fstat(program->fd, &status))
		return -errno;
	if (!S_ISREG(status.st_mode))
		return -ENOEXEC;
	program->file_bytes = (uint64_t)status.st_size;
	error = elf_program_read(program, 0, header, sizeof(*header));
	if (error)
		return error;
	if (memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 ||
	    header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_ident[EI_DATA] != ELFDATA2LSB ||
	    header->e_machine != NATIVE_MACHINE)
		return -ENOEXEC;
	if (header->e_type != ET_EXEC && header->e_type != ET_DYN)
		return -ENOEXEC;
	return 0;
}

/* Reads a table of the header's; *table is NULL where there is none. The caller frees it. */
static int header_read_table(const struct elf_program *program, uint64_t offset, size_t count,
			     size_t entry_bytes, size_t entry_bytes_expected, void **table)
{
	int error;

	*table = NULL;
	if (offset == 0 || count == 0)
		return 0;
	if (entry_bytes != entry_bytes_expected)
		return -ENOEXEC;
	*table = calloc(count, entry_bytes);
	if (!*table)
		return -ENOMEM;
	error = elf_program_read(program, offset, *table, count * entry_bytes);
	if (error) {
		free(*table);
		*table = NULL;
	}
	return error;
}

static int tables_read(struct elf_program *program)
{
	Elf64_Ehdr *header = &program->header;
	void *table;
	int error = header_read_table(program, header->e_phoff, header->e_phnum,
				      header->e_phentsize, sizeof(Elf64_Phdr), &table);

	if (error)
		return error;
	program->segments = table;
	error = header_read_table(program, header->e_shoff, header->e_shnum, header->e_shentsize,
				  sizeof(Elf64_Shdr), &table);
	if (error)
		return error;
	program->sections = table;
	/* Counts without a table, and counts kept elsewhere because they don't fit: object files.
	 */
	if (!program->segments)
		header->e_phnum = 0;
	if (!program->sections)
		header->e_shnum = 0;
	return 0;
}

int elf_program_open(int fd, struct elf_program *program)
{
	int error;

	*program = (struct elf_program){.fd = fd};
	error = header_read(program);
	if (!error)
		error = tables_read(program);
	if (error)
		elf_program_close(program);
	return error;
}

void elf_program_close(struct elf_program *program)
{
	free(program->segments);
	free(program->sections);
	free(program->section_names);
	*program = (struct elf_program){.fd = -1};
}

const Elf64_Shdr *elf_program_section(const struct elf_program *program, uint32_t type)
{
	for (size_t i = 0; i < program->header.e_shnum; i++) {
		if (program->sections[i].sh_type == type)
			return &program->sections[i];
	}
	return NULL;
}

int elf_program_read_section_names(struct elf_program *program)
{
	size_t index = program->header.e_shstrndx;
	const Elf64_Shdr *section;

	if (index >= program->header.e_shnum)
		return 0;
	section = &program->sections[index];
	if (section->sh_type != SHT_STRTAB)
		return -ENOEXEC;
	if (section->sh_size > NAMES_BYTES_MAX)
		return -EFBIG;
	program->section_names = calloc(1, section->sh_size + 1);
	if (!program->section_names)
		return -ENOMEM;
	program->section_names_bytes = section->sh_size;
	return elf_program_read(program, section->sh_offset, program->section_names,
				section->sh_size);
}

static bool section_is_within(const struct elf_program *program, const Elf64_Shdr *section)
{
	return section->sh_offset <= program->file_bytes &&
	       section->sh_size <= program->file_bytes - section->sh_offset;
}

const Elf64_Shdr *elf_program_named_section(const struct elf_program *program, const char *name,
					    uint32_t type)
{
	for (size_t i = 0; i < program->header.e_shnum; i++) {
		const Elf64_Shdr *section = &program->sections[i];

		if (section->sh_type == type && !(section->sh_flags & SHF_COMPRESSED) &&
		    section->sh_name < program->section_names_bytes &&
		    strcmp(program->section_names + section->sh_name, name) == 0 &&
		    section_is_within(program, section))
			return section;
	}
	return NULL;
}

int elf_program_check_section(const struct elf_program *program, const Elf64_Shdr *section)
{
	if (!section_is_within(program, section))
		return -ENOEXEC;
	return section->sh_size > TABLE_BYTES_MAX ? -EFBIG : 0;
}

static bool segment_is_within(const struct elf_program *program, const Elf64_Phdr *segment)
{
	return segment->p_offset <= program->file_bytes &&
	       segment->p_filesz <= program->file_bytes - segment->p_offset;
}

const Elf64_Phdr *elf_program_segment_at(const struct elf_program *program, uint64_t address)
{
	for (size_t i = 0; i < program->header.e_phnum; i++) {
		const Elf64_Phdr *segment = &program->segments[i];

		if (segment->p_type == PT_LOAD && address >= segment->p_vaddr &&
		    address - segment->p_vaddr < segment->p_filesz)
			return segment_is_within(program, segment) ? segment : NULL;
	}
	return NULL;
}

const Elf64_Phdr *elf_program_code_segment(const struct elf_program *program, uint64_t offset)
{
	for (size_t i = 0; i < program->header.e_phnum; i++) {
		const Elf64_Phdr *segment = &program->segments[i];

		if (segment->p_type == PT_LOAD && segment->p_flags & PF_X &&
		    offset >= segment->p_offset && offset - segment->p_offset < segment->p_filesz)
			return segment_is_within(program, segment) ? segment : NULL;
	}
	return NULL;
}

uint64_t elf_program_code_offset(const struct elf_program *program, uint64_t address,
				 uint64_t *left_bytes)
{
	const Elf64_Phdr *segment = elf_program_segment_at(program, address);
	uint64_t distance = segment ? address - segment->p_vaddr : 0;
	bool is_code = segment && segment->p_flags & PF_X;

	if (left_bytes)
		*left_bytes = is_code ? segment->p_filesz - distance : 0;
	return is_code ? segment->p_offset + distance : 0;
}

uint64_t elf_program_file_offset(const struct elf_program *program, uint64_t address, size_t bytes,
				 uint32_t flags)
{
	for (size_t i = 0; i < program->header.e_phnum; i++) {
		const Elf64_Phdr *segment = &program->segments[i];
		uint64_t distance = address - segment->p_vaddr;

		if (segment->p_type == PT_LOAD && (segment->p_flags & flags) == flags &&
		    address >= segment->p_vaddr && distance < segment->p_filesz &&
		    bytes <= segment->p_filesz - distance)
			return segment_is_within(program, segment) ? segment->p_offset + distance
								   : 0;
	}
	return 0;
}

static void dynamic_read(const struct elf_program *program, const Elf64_Phdr *segment,
			 struct elf_program_kind *kind)
{
	for (size_t i = 0; i < DYNAMIC_ENTRIES_MAX; i++) {
		Elf64_Dyn entry;

		if ((i + 1) * sizeof(entry) > segment->p_filesz ||
		    elf_program_read(program, segment->p_offset + i * sizeof(entry), &entry,
				     sizeof(entry)) ||
		    entry.d_tag == DT_NULL)
			return;
		kind->is_library |= entry.d_tag == DT_SONAME;
		kind->needs_libraries |= entry.d_tag == DT_NEEDED;
		kind->is_program |= entry.d_tag == DT_FLAGS_1 && entry.d_un.d_val & DF_1_PIE;
	}
}

struct elf_program_kind elf_program_kind(const struct elf_program *program)
{
	struct elf_program_kind kind = {.has_symbols = elf_program_section(program, SHT_SYMTAB)};

	for (size_t i = 0; i < program->header.e_phnum; i++) {
		const Elf64_Phdr *segment = &program->segments[i];

		kind.has_interpreter |= segment->p_type == PT_INTERP;
		if (segment->p_type == PT_DYNAMIC && segment_is_within(program, segment))
			dynamic_read(program, segment, &kind);
	}
	return kind;
}
