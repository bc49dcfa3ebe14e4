/* SPDX-License-Identifier: Apache-2.0 */
#include "symbol/elf_file.h"

#include <errno.h>
#include <gelf.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOTES_MAX_BYTES     65536
#define PROGRAM_HEADERS_MAX 4096

static void set_elf_version(void)
{
	elf_version(EV_CURRENT);
}

static void use_libelf(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, set_elf_version);
}

Elf *elf_image_open(char *image, size_t image_bytes)
{
	use_libelf();
	return elf_memory(image, image_bytes);
}

Elf *elf_file_open(int fd)
{
	Elf *elf;

	use_libelf();
	elf = elf_begin(fd, ELF_C_READ, NULL);
	if (elf && elf_kind(elf) != ELF_K_ELF) {
		elf_end(elf);
		elf = NULL;
	}
	return elf;
}

int elf_file_read(int fd, void *buffer, size_t size, uint64_t offset)
{
	char *next = buffer;

	while (size > 0) {
		ssize_t count = pread(fd, next, size, (off_t)offset);

		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0)
			return -errno;
		if (count == 0)
			return -EIO;
		next += count;
		offset += (uint64_t)count;
		size -= (size_t)count;
	}
	return 0;
}

int elf_file_write(int fd, const void *buffer, size_t size)
{
	const char *next = buffer;

	while (size > 0) {
		ssize_t count = write(fd, next, size);

		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0)
			return -errno;
		next += count;
		size -= (size_t)count;
	}
	return 0;
}

static int find_section(Elf *elf, uint64_t file_bytes, const char *wanted,
			struct elf_section *section)
{
	Elf_Scn *scn = NULL;
	size_t names;

	if (elf_getshdrstrndx(elf, &names))
		return -ENOEXEC;
	while ((scn = elf_nextscn(elf, scn))) {
		GElf_Shdr header;
		const char *name;

		if (!gelf_getshdr(scn, &header))
			return -ENOEXEC;
		name = elf_strptr(elf, names, header.sh_name);
		if (!name || strcmp(name, wanted) != 0)
			continue;
		if (header.sh_type == SHT_NOBITS || !header.sh_size ||
		    header.sh_offset > file_bytes || header.sh_size > file_bytes - header.sh_offset)
			return -ENOENT;
		*section = (struct elf_section){
			.offset = header.sh_offset,
			.bytes = header.sh_size,
			.is_compressed = header.sh_flags & SHF_COMPRESSED,
		};
		return 0;
	}
	return -ENOENT;
}

int elf_file_find_section(const struct symbol_file *file, const char *name,
			  struct elf_section *section)
{
	Elf *elf = elf_file_open(file->fd);
	int error;

	if (!elf)
		return -ENOEXEC;
	error = find_section(elf, file->bytes, name, section);
	elf_end(elf);
	return error;
}

bool elf_file_has_section(const struct symbol_file *file, const char *name)
{
	struct elf_section section;

	return !elf_file_find_section(file, name, &section);
}

static void hex_encode(const unsigned char *bytes, size_t count, char *text)
{
	for (size_t i = 0; i < count; i++)
		sprintf(text + 2 * i, "%02x", bytes[i]);
}

static void read_build_id(Elf *elf, const GElf_Phdr *header, struct elf_layout *layout)
{
	Elf_Type type = header->p_align == 8 ? ELF_T_NHDR8 : ELF_T_NHDR;
	size_t offset = 0, next, name_offset, data_offset;
	Elf_Data *data;
	GElf_Nhdr note;

	if (header->p_filesz > NOTES_MAX_BYTES || header->p_offset > layout->file_bytes ||
	    header->p_filesz > layout->file_bytes - header->p_offset)
		return;
	data = elf_getdata_rawchunk(elf, (int64_t)header->p_offset, header->p_filesz, type);
	while (data && (next = gelf_getnote(data, offset, &note, &name_offset, &data_offset))) {
		const unsigned char *bytes = data->d_buf;

		if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == sizeof("GNU") &&
		    !memcmp(bytes + name_offset, "GNU", sizeof("GNU")) &&
		    note.n_descsz <= ELF_BUILD_ID_MAX_BYTES) {
			hex_encode(bytes + data_offset, note.n_descsz, layout->build_id);
			return;
		}
		offset = next;
	}
}

struct build_id_note {
	GElf_Nhdr header;
	char name[sizeof("GNU")];
	unsigned char id[ELF_BUILD_ID_MAX_BYTES];
};

int elf_file_read_build_id(const struct symbol_file *file,
			   char build_id[static 2 * ELF_BUILD_ID_MAX_BYTES + 1])
{
	struct build_id_note note;
	struct elf_section section;

	if (elf_file_find_section(file, ".note.gnu.build-id", &section) ||
	    section.bytes < offsetof(struct build_id_note, id) || section.bytes > sizeof(note) ||
	    elf_file_read(file->fd, &note, section.bytes, section.offset))
		return -ENOENT;
	if (note.header.n_type != NT_GNU_BUILD_ID || note.header.n_namesz != sizeof(note.name) ||
	    memcmp(note.name, "GNU", sizeof(note.name)) != 0 || !note.header.n_descsz ||
	    note.header.n_descsz > section.bytes - offsetof(struct build_id_note, id))
		return -ENOENT;
	hex_encode(note.id, note.header.n_descsz, build_id);
	return 0;
}

static void add_code_segment(struct elf_layout *layout, const GElf_Phdr *header)
{
	if (layout->segment_count == ELF_CODE_SEGMENTS_MAX ||
	    header->p_offset > UINT64_MAX - header->p_filesz ||
	    header->p_vaddr > UINT64_MAX - header->p_filesz)
		return;
	layout->segments[layout->segment_count++] = (struct elf_code_segment){
		.file_offset = header->p_offset,
		.file_bytes = header->p_filesz,
		.address = header->p_vaddr,
	};
}

static int read_program_headers(Elf *elf, struct elf_layout *layout)
{
	size_t count;

	if (elf_getphdrnum(elf, &count))
		return -ENOEXEC;
	for (size_t i = 0; i < count && i < PROGRAM_HEADERS_MAX; i++) {
		GElf_Phdr header;

		if (!gelf_getphdr(elf, (int)i, &header))
			return -ENOEXEC;
		if (header.p_type == PT_LOAD && header.p_flags & PF_X)
			add_code_segment(layout, &header);
		else if (header.p_type == PT_NOTE && !layout->build_id[0])
			read_build_id(elf, &header, layout);
	}
	return 0;
}

int elf_layout_read(int fd, struct elf_layout *layout)
{
	struct elf_layout result = {0};
	struct stat status;
	GElf_Ehdr header;
	int error = -ENOEXEC;
	Elf *elf;

	if (fstat(fd, &status))
		return -errno;
	if (!S_ISREG(status.st_mode))
		return -ENOEXEC;
	result.file_bytes = (uint64_t)status.st_size;
	elf = elf_file_open(fd);
	if (!elf)
		return -ENOEXEC;
	if (!gelf_getehdr(elf, &header) || (header.e_type != ET_EXEC && header.e_type != ET_DYN))
		goto out;
	result.word_bits = header.e_ident[EI_CLASS] == ELFCLASS32 ? 32 : 64;
	error = read_program_headers(elf, &result);
	if (!error)
		*layout = result;
out:
	elf_end(elf);
	return error;
}

int elf_layout_address(const struct elf_layout *layout, uint64_t file_offset, uint64_t *address)
{
	for (size_t i = 0; i < layout->segment_count; i++) {
		const struct elf_code_segment *segment = &layout->segments[i];

		if (file_offset >= segment->file_offset &&
		    file_offset - segment->file_offset < segment->file_bytes) {
			*address = segment->address + (file_offset - segment->file_offset);
			return 0;
		}
	}
	return -ENOENT;
}

int elf_layout_mapping_address(const struct elf_layout *layout, uint64_t file_offset,
			       uint64_t file_bytes, uint64_t *address)
{
	for (size_t i = 0; i < layout->segment_count; i++) {
		const struct elf_code_segment *segment = &layout->segments[i];

		if (segment->file_offset < file_offset + file_bytes &&
		    file_offset < segment->file_offset + segment->file_bytes) {
			*address = segment->address + (file_offset - segment->file_offset);
			return 0;
		}
	}
	return -ENOENT;
}

const struct elf_code_segment *elf_layout_segment(const struct elf_layout *layout, uint64_t address)
{
	for (size_t i = 0; i < layout->segment_count; i++) {
		const struct elf_code_segment *segment = &layout->segments[i];

		if (address >= segment->address && address - segment->address < segment->file_bytes)
			return segment;
	}
	return NULL;
}
