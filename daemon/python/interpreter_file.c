/* SPDX-License-Identifier: Apache-2.0 */
#include "python/interpreter_file.h"

#include "symbol/elf_file.h"

#include <errno.h>
#include <gelf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* The names of libtorch are 50 MiB, those of an interpreter one. */
#define STRINGS_SEARCHED_MAX (256ULL << 20)
#define STRINGS_LOADED_MAX   (64ULL << 20)
#define SYMBOLS_BYTES_MAX    (64ULL << 20)
#define SECTIONS_MAX         4096
#define SEARCH_CHUNK_BYTES   (256U << 10)
#define CHUNK_SYMBOLS        1024
#define PROGRAM_HEADERS_MAX  64

static const char runtime_name[] = "_PyRuntime";

static const struct wanted_symbol {
	const char *name;
	size_t address; /* offsets in struct interpreter_symbols */
	size_t bytes;   /* 0: not wanted */
} wanted_symbols[] = {
	{runtime_name, offsetof(struct interpreter_symbols, runtime), 0},
	{"Py_Version", offsetof(struct interpreter_symbols, version), 0},
	{"PyCode_Type", offsetof(struct interpreter_symbols, code_type), 0},
	{"_PyEval_EvalFrameDefault", offsetof(struct interpreter_symbols, evaluation),
	 offsetof(struct interpreter_symbols, evaluation_bytes)},
	{"PyCode_NewWithPosOnlyArgs", offsetof(struct interpreter_symbols, of_3_8), 0},
	{"PyFrame_GetBack", offsetof(struct interpreter_symbols, of_3_9), 0},
	{"Py_NewRef", offsetof(struct interpreter_symbols, of_3_10), 0},
};

#define WANTED_COUNT (sizeof(wanted_symbols) / sizeof(*wanted_symbols))

struct file_section {
	uint64_t offset, bytes;
};

/* Finds a name, with the null character at its end, anywhere in a string section. */
static bool has_name(int fd, const struct file_section *strings, const char *name, char *buffer)
{
	size_t name_bytes = strlen(name) + 1, kept = 0;
	uint64_t at = 0;

	while (at < strings->bytes) {
		size_t count = SEARCH_CHUNK_BYTES - kept;

		if (count > strings->bytes - at)
			count = strings->bytes - at;
		if (elf_file_read(fd, buffer + kept, count, strings->offset + at))
			return false;
		if (memmem(buffer, kept + count, name, name_bytes))
			return true;
		at += count;
		kept = kept + count < name_bytes - 1 ? kept + count : name_bytes - 1;
		memmove(buffer, buffer + SEARCH_CHUNK_BYTES - kept, kept);
	}
	return false;
}

static void take_symbol(const char *strings, size_t strings_bytes, const Elf64_Sym *symbol,
			struct interpreter_symbols *symbols)
{
	size_t left;

	if (symbol->st_shndx == SHN_UNDEF || symbol->st_shndx == SHN_ABS || !symbol->st_value ||
	    symbol->st_name >= strings_bytes)
		return;
	left = strings_bytes - symbol->st_name;
	for (size_t i = 0; i < WANTED_COUNT; i++) {
		const struct wanted_symbol *wanted = &wanted_symbols[i];
		size_t bytes = strlen(wanted->name) + 1;

		if (bytes > left || memcmp(strings + symbol->st_name, wanted->name, bytes) != 0)
			continue;
		memcpy((char *)symbols + wanted->address, &symbol->st_value, sizeof(uint64_t));
		if (wanted->bytes)
			memcpy((char *)symbols + wanted->bytes, &symbol->st_size, sizeof(uint64_t));
	}
}

static int take_symbols(int fd, const struct file_section *table, const char *strings,
			size_t strings_bytes, struct interpreter_symbols *symbols)
{
	Elf64_Sym *chunk = malloc(CHUNK_SYMBOLS * sizeof(*chunk));
	uint64_t left = table->bytes / sizeof(*chunk), at = table->offset;
	int error = chunk ? 0 : -ENOMEM;

	while (left && !error) {
		size_t count = left < CHUNK_SYMBOLS ? left : CHUNK_SYMBOLS;

		error = elf_file_read(fd, chunk, count * sizeof(*chunk), at);
		for (size_t i = 0; i < count && !error; i++)
			take_symbol(strings, strings_bytes, &chunk[i], symbols);
		at += count * sizeof(*chunk);
		left -= count;
	}
	free(chunk);
	return error;
}

/* A section of symbols and the one with their names. */
static int read_symbol_section(int fd, const struct file_section *table,
			       const struct file_section *strings,
			       struct interpreter_symbols *symbols)
{
	char *buffer = malloc(SEARCH_CHUNK_BYTES), *loaded = NULL;
	bool has_runtime;
	int error;

	if (!buffer)
		return -ENOMEM;
	has_runtime = has_name(fd, strings, runtime_name, buffer);
	free(buffer);
	if (!has_runtime)
		return 0;
	if (strings->bytes > STRINGS_LOADED_MAX || table->bytes > SYMBOLS_BYTES_MAX)
		return -E2BIG;
	loaded = malloc(strings->bytes);
	if (!loaded)
		return -ENOMEM;
	error = elf_file_read(fd, loaded, strings->bytes, strings->offset);
	if (!error)
		error = take_symbols(fd, table, loaded, strings->bytes, symbols);
	free(loaded);
	return error;
}

static bool section_in_file(const GElf_Shdr *header, uint64_t file_bytes,
			    struct file_section *section)
{
	*section = (struct file_section){.offset = header->sh_offset, .bytes = header->sh_size};
	return header->sh_type != SHT_NOBITS && header->sh_offset <= file_bytes &&
	       header->sh_size <= file_bytes - header->sh_offset;
}

static int read_sections(Elf *elf, int fd, uint64_t file_bytes, uint32_t type,
			 struct interpreter_symbols *symbols)
{
	Elf_Scn *section = NULL;
	int error = 0;

	for (size_t i = 0; i < SECTIONS_MAX && !error; i++) {
		struct file_section table, strings;
		GElf_Shdr header, string_header;
		Elf_Scn *string_section;

		section = elf_nextscn(elf, section);
		if (!section || !gelf_getshdr(section, &header))
			break;
		if (header.sh_type != type || !section_in_file(&header, file_bytes, &table))
			continue;
		string_section = elf_getscn(elf, header.sh_link);
		if (string_section && gelf_getshdr(string_section, &string_header) &&
		    section_in_file(&string_header, file_bytes, &strings) &&
		    strings.bytes <= STRINGS_SEARCHED_MAX)
			error = read_symbol_section(fd, &table, &strings, symbols);
	}
	return error;
}

static bool is_program(Elf *elf)
{
	GElf_Ehdr file_header;
	size_t count;

	if (!gelf_getehdr(elf, &file_header) || elf_getphdrnum(elf, &count))
		return false;
	if (file_header.e_type == ET_EXEC)
		return true;
	for (size_t i = 0; i < count && i < PROGRAM_HEADERS_MAX; i++) {
		GElf_Phdr header;

		if (gelf_getphdr(elf, (int)i, &header) && header.p_type == PT_INTERP)
			return true;
	}
	return false;
}

static void read_segments(Elf *elf, struct interpreter_symbols *symbols)
{
	size_t count;

	if (elf_getphdrnum(elf, &count))
		return;
	for (size_t i = 0; i < count && i < PROGRAM_HEADERS_MAX; i++) {
		GElf_Phdr header;

		if (symbols->segment_count == INTERPRETER_SEGMENTS_MAX)
			return;
		if (!gelf_getphdr(elf, (int)i, &header) || header.p_type != PT_LOAD)
			continue;
		symbols->segments[symbols->segment_count++] =
			(struct interpreter_segment){.address = header.p_vaddr,
						     .offset = header.p_offset,
						     .bytes = header.p_filesz};
	}
}

/* Only files of this machine's kind: their structs are read as ours. */
static bool is_native(Elf *elf)
{
	GElf_Ehdr header;

	return gelf_getehdr(elf, &header) && header.e_ident[EI_CLASS] == ELFCLASS64 &&
	       header.e_ident[EI_DATA] == ELFDATA2LSB && header.e_machine == EM_X86_64;
}

int interpreter_symbols_read(int fd, struct interpreter_symbols *symbols)
{
	struct interpreter_symbols found = {0};
	struct stat status;
	int error = 0;
	Elf *elf;

	if (fstat(fd, &status))
		return -errno;
	elf = elf_file_open(fd);
	if (!elf)
		return -ENOEXEC;
	if (is_native(elf)) {
		error = read_sections(elf, fd, (uint64_t)status.st_size, SHT_DYNSYM, &found);
		if (!error && !found.runtime && is_program(elf))
			error = read_sections(elf, fd, (uint64_t)status.st_size, SHT_SYMTAB,
					      &found);
	}
	if (!error && found.runtime)
		read_segments(elf, &found);
	elf_end(elf);
	if (!error && !found.runtime)
		return -ENOENT;
	if (!error)
		*symbols = found;
	return error;
}
