/* SPDX-License-Identifier: Apache-2.0 */
#include "symbol/line_unit.h"

#include "symbol/elf_file.h"

#include <elfutils/libdw.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ROWS_MAX  (1u << 20)
#define FILES_MAX 65536

/* libdw (0.188) takes it for granted that strings end in a zero: the image and they end in zeros.
 */
#define IMAGE_PADDING_BYTES 16

static const char section_names[] = "\0.debug_line\0.debug_line_str\0.shstrtab";

enum { SECTION_NONE, SECTION_LINE, SECTION_STRINGS, SECTION_NAMES, SECTION_COUNT };

struct line_image_header {
	Elf64_Ehdr file;
	Elf64_Shdr sections[SECTION_COUNT];
	char names[sizeof(section_names)];
};

static void image_section(struct line_image_header *header, int index, const char *name,
			  Elf64_Word type, size_t offset, size_t bytes)
{
	const char *at = section_names + 1;

	while (strcmp(at, name) != 0)
		at += strlen(at) + 1;
	header->sections[index] = (Elf64_Shdr){
		.sh_name = (Elf64_Word)(at - section_names),
		.sh_type = type,
		.sh_offset = offset,
		.sh_size = bytes,
		.sh_addralign = 1,
	};
}

/* An ELF file of two sections, which the caller frees. */
static char *image_new(const void *unit, size_t unit_bytes, const void *strings,
		       size_t strings_bytes, size_t *image_bytes)
{
	const int native = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB : ELFDATA2MSB;
	size_t unit_offset = sizeof(struct line_image_header);
	size_t strings_offset = unit_offset + unit_bytes;
	struct line_image_header *header;

	*image_bytes = strings_offset + strings_bytes + IMAGE_PADDING_BYTES;
	header = calloc(1, *image_bytes);
	if (!header)
		return NULL;
	memcpy(header->file.e_ident, ELFMAG, SELFMAG);
	header->file.e_ident[EI_CLASS] = ELFCLASS64;
	header->file.e_ident[EI_DATA] = (unsigned char)native;
	header->file.e_ident[EI_VERSION] = EV_CURRENT;
	header->file.e_type = ET_EXEC;
	header->file.e_version = EV_CURRENT;
	header->file.e_shoff = offsetof(struct line_image_header, sections);
	header->file.e_ehsize = sizeof(header->file);
	header->file.e_shentsize = sizeof(header->sections[0]);
	header->file.e_shnum = SECTION_COUNT;
	header->file.e_shstrndx = SECTION_NAMES;
	memcpy(header->names, section_names, sizeof(section_names));
	image_section(header, SECTION_LINE, ".debug_line", SHT_PROGBITS, unit_offset, unit_bytes);
	image_section(header, SECTION_STRINGS, ".debug_line_str", SHT_PROGBITS, strings_offset,
		      strings_bytes + 1);
	image_section(header, SECTION_NAMES, ".shstrtab", SHT_STRTAB,
		      offsetof(struct line_image_header, names), sizeof(section_names));
	memcpy((char *)header + unit_offset, unit, unit_bytes);
	if (strings_bytes)
		memcpy((char *)header + strings_offset, strings, strings_bytes);
	return (char *)header;
}

static int copy_files(struct line_unit *unit, Dwarf_Files *files, size_t count)
{
	if (count > FILES_MAX)
		return -EINVAL;
	unit->files = calloc(count ? count : 1, sizeof(*unit->files));
	if (!unit->files)
		return -ENOMEM;
	unit->file_count = count;
	unit->bytes += count * sizeof(*unit->files);
	for (size_t i = 0; i < count; i++) {
		const char *name = dwarf_filesrc(files, i, NULL, NULL);

		if (!name)
			continue;
		unit->files[i] = strdup(name);
		if (!unit->files[i])
			return -ENOMEM;
		unit->bytes += strlen(name) + 1;
	}
	return 0;
}

static int copy_row(const struct line_unit *unit, Dwarf_Line *line, struct line_row *row)
{
	Dwarf_Files *files;
	Dwarf_Addr address;
	size_t file = 0;
	int number = 0;
	bool is_end;

	if (dwarf_lineaddr(line, &address) || dwarf_lineendsequence(line, &is_end))
		return -EINVAL;
	if (dwarf_lineno(line, &number) || number < 0 || dwarf_line_file(line, &files, &file) ||
	    file >= unit->file_count)
		number = 0;
	*row = (struct line_row){
		.address = address,
		.line = (uint32_t)number,
		.file = number ? (uint32_t)file : 0,
		.is_end = is_end,
	};
	return 0;
}

static int copy_rows(struct line_unit *unit, Dwarf_Lines *lines, size_t count)
{
	int error = 0;

	if (count > ROWS_MAX)
		return -EINVAL;
	unit->rows = calloc(count ? count : 1, sizeof(*unit->rows));
	if (!unit->rows)
		return -ENOMEM;
	for (size_t i = 0; i < count && !error; i++) {
		Dwarf_Line *line = dwarf_onesrcline(lines, i);

		error = line ? copy_row(unit, line, &unit->rows[i]) : -EINVAL;
	}
	unit->row_count = count;
	unit->bytes += count * sizeof(*unit->rows);
	return error;
}

static int copy_unit(Dwarf *dwarf, struct line_unit *unit)
{
	size_t file_count = 0, row_count = 0;
	Dwarf_Files *files = NULL;
	Dwarf_Lines *lines = NULL;
	Dwarf_CU *cu = NULL;
	Dwarf_Off next;
	int error;

	if (dwarf_next_lines(dwarf, 0, &next, &cu, &files, &file_count, &lines, &row_count))
		return -EINVAL;
	error = copy_files(unit, files, file_count);
	return error ? error : copy_rows(unit, lines, row_count);
}

int line_unit_decode(const void *unit, size_t unit_bytes, const void *strings, size_t strings_bytes,
		     struct line_unit **result)
{
	struct line_unit *decoded = NULL;
	Dwarf *dwarf = NULL;
	Elf *elf = NULL;
	size_t image_bytes;
	int error = -ENOMEM;
	char *image;

	image = image_new(unit, unit_bytes, strings, strings_bytes, &image_bytes);
	if (!image)
		return -ENOMEM;
	decoded = calloc(1, sizeof(*decoded));
	if (!decoded)
		goto out;
	decoded->bytes = sizeof(*decoded);
	error = -EINVAL;
	elf = elf_image_open(image, image_bytes);
	if (elf)
		dwarf = dwarf_begin_elf(elf, DWARF_C_READ, NULL);
	if (dwarf)
		error = copy_unit(dwarf, decoded);
out:
	if (error)
		line_unit_free(decoded);
	else
		*result = decoded;
	dwarf_end(dwarf);
	elf_end(elf);
	free(image);
	return error;
}

void line_unit_free(struct line_unit *unit)
{
	if (!unit)
		return;
	for (size_t i = 0; i < unit->file_count; i++)
		free(unit->files[i]);
	free(unit->files);
	free(unit->rows);
	free(unit);
}

const struct line_row *line_unit_find(const struct line_unit *unit, uint64_t address)
{
	size_t low = 0, high = unit->row_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (unit->rows[middle].address <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low > 0 && !unit->rows[low - 1].is_end ? &unit->rows[low - 1] : NULL;
}
