/* SPDX-License-Identifier: Apache-2.0 */
#include "symbol/symbol_table_private.h"

#include <errno.h>
#include <gelf.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_SYMBOLS     2048
#define CODE_SECTIONS_MAX 256

/* Of several names for one address; less is better. */
enum symbol_rank {
	RANK_FUNCTION_GLOBAL,
	RANK_FUNCTION_LOCAL,
	RANK_LABEL,       /* an untyped global: assembly that forgot .type */
	RANK_UNSIZED = 4, /* added: a symbol that states its size is surer */
};

struct code_section {
	uint64_t address;
	uint64_t bytes;
};

struct symbol_table_builder {
	/* The file being read. */
	Elf *elf;
	struct symbol_file file;
	uint32_t file_index;
	bool has_symtab; /* one of the files had */

	const struct elf_layout *layout;
	size_t count_max;
	size_t capacity;
	size_t section_count;
	struct code_section sections[CODE_SECTIONS_MAX];
	struct symbol_table *table;
	char names[2][SYMBOL_NAME_MAX_BYTES];
};

static bool is_in_file(const struct symbol_table_builder *builder, const GElf_Shdr *header)
{
	uint64_t file_bytes = builder->file.bytes;

	return header->sh_type != SHT_NOBITS && header->sh_offset <= file_bytes &&
	       header->sh_size <= file_bytes - header->sh_offset;
}

/* -1: not a function that this file defines. */
static int symbol_rank(const struct symbol_table_builder *builder, const GElf_Sym *symbol)
{
	int type = GELF_ST_TYPE(symbol->st_info);
	bool is_local = GELF_ST_BIND(symbol->st_info) == STB_LOCAL;
	int rank;

	if (!symbol->st_name || symbol->st_shndx == SHN_UNDEF || symbol->st_shndx == SHN_ABS ||
	    !elf_layout_segment(builder->layout, symbol->st_value))
		return -1;
	if (type == STT_FUNC || type == STT_GNU_IFUNC)
		rank = is_local ? RANK_FUNCTION_LOCAL : RANK_FUNCTION_GLOBAL;
	else if (type == STT_NOTYPE && !is_local)
		rank = RANK_LABEL;
	else
		return -1;
	return symbol->st_size ? rank : rank + RANK_UNSIZED;
}

static int add_symbol(struct symbol_table_builder *builder, const GElf_Sym *symbol,
		      uint32_t strings)
{
	struct symbol_table *table = builder->table;
	int rank = symbol_rank(builder, symbol);

	if (rank < 0 || table->count == builder->count_max)
		return 0;
	if (table->count == builder->capacity) {
		size_t capacity = builder->capacity ? builder->capacity * 2 : 256;
		void *entries = realloc(table->entries, capacity * sizeof(*table->entries));

		if (!entries)
			return -ENOMEM;
		table->entries = entries;
		builder->capacity = capacity;
	}
	table->entries[table->count++] = (struct symbol_entry){
		.address = symbol->st_value,
		.size_bytes = symbol->st_size < SYMBOL_SIZE_MAX_BYTES ? (uint32_t)symbol->st_size
								      : SYMBOL_SIZE_MAX_BYTES,
		.rank = (uint32_t)rank,
		.strings = strings & (STRING_SECTIONS_MAX - 1),
		.name = symbol->st_name,
	};
	return 0;
}

static GElf_Sym widen_symbol(const Elf32_Sym *symbol)
{
	return (GElf_Sym){
		.st_name = symbol->st_name,
		.st_info = symbol->st_info,
		.st_other = symbol->st_other,
		.st_shndx = symbol->st_shndx,
		.st_value = symbol->st_value,
		.st_size = symbol->st_size,
	};
}

union symbol_chunk {
	Elf64_Sym wide[CHUNK_SYMBOLS];
	Elf32_Sym narrow[CHUNK_SYMBOLS];
};

/* Brings count symbols from the file's byte order into ours, and takes the functions among them. */
static int add_chunk(struct symbol_table_builder *builder, union symbol_chunk *chunk, size_t count,
		     size_t symbol_bytes, uint32_t strings)
{
	Elf_Data data = {
		.d_buf = chunk,
		.d_size = count * symbol_bytes,
		.d_type = ELF_T_SYM,
		.d_version = EV_CURRENT,
	};
	unsigned int encoding = (unsigned char)elf_getident(builder->elf, NULL)[EI_DATA];
	int error = 0;

	if (!gelf_xlatetom(builder->elf, &data, &data, encoding))
		return -ENOEXEC;
	for (size_t i = 0; i < count && !error; i++) {
		GElf_Sym symbol = symbol_bytes == sizeof(Elf64_Sym)
					  ? chunk->wide[i]
					  : widen_symbol(&chunk->narrow[i]);

		error = add_symbol(builder, &symbol, strings);
	}
	return error;
}

/* Reads a symbol section piece by piece: whole ones can have tens of megabytes. */
static int read_symbols(struct symbol_table_builder *builder, const GElf_Shdr *header,
			uint32_t strings)
{
	size_t symbol_bytes = gelf_fsize(builder->elf, ELF_T_SYM, 1, EV_CURRENT);
	uint64_t left = symbol_bytes ? header->sh_size / symbol_bytes : 0;
	uint64_t offset = header->sh_offset;
	union symbol_chunk *chunk;
	int error = 0;

	chunk = malloc(sizeof(*chunk));
	if (!chunk)
		return -ENOMEM;
	while (left > 0 && !error) {
		size_t count = left < CHUNK_SYMBOLS ? left : CHUNK_SYMBOLS;

		error = elf_file_read(builder->file.fd, chunk, count * symbol_bytes, offset);
		if (!error)
			error = add_chunk(builder, chunk, count, symbol_bytes, strings);
		offset += count * symbol_bytes;
		left -= count;
	}
	free(chunk);
	return error;
}

static int read_symbol_section(struct symbol_table_builder *builder, const GElf_Shdr *header)
{
	bool is_dynamic = header->sh_type == SHT_DYNSYM;
	uint32_t index = is_dynamic ? STRING_SECTION_DYNAMIC : builder->file_index;
	struct string_section *strings = &builder->table->strings[index];
	GElf_Shdr string_header;
	Elf_Scn *section;

	if (strings->bytes || (is_dynamic && builder->file_index))
		return 0;
	section = elf_getscn(builder->elf, header->sh_link);
	if (!section || !gelf_getshdr(section, &string_header) || !is_in_file(builder, header) ||
	    !is_in_file(builder, &string_header) || string_header.sh_type != SHT_STRTAB)
		return 0;
	builder->has_symtab |= !is_dynamic;
	*strings = (struct string_section){
		.fd = builder->file.fd,
		.file_offset = string_header.sh_offset,
		.bytes = string_header.sh_size,
	};
	return read_symbols(builder, header, index);
}

static int read_sections(struct symbol_table_builder *builder)
{
	Elf_Scn *section = NULL;
	int error = 0;

	while (!error && (section = elf_nextscn(builder->elf, section))) {
		GElf_Shdr header;

		if (!gelf_getshdr(section, &header))
			return -ENOEXEC;
		if (header.sh_type == SHT_SYMTAB || header.sh_type == SHT_DYNSYM)
			error = read_symbol_section(builder, &header);
		else if (header.sh_flags & SHF_EXECINSTR &&
			 builder->section_count < CODE_SECTIONS_MAX)
			builder->sections[builder->section_count++] = (struct code_section){
				.address = header.sh_addr,
				.bytes = header.sh_size,
			};
	}
	return error;
}

static int compare_entries(const void *left, const void *right)
{
	const struct symbol_entry *a = left, *b = right;

	if (a->address != b->address)
		return a->address < b->address ? -1 : 1;
	return (int)a->rank - (int)b->rank;
}

static size_t leading_underscores(const char *name)
{
	bool is_mangled = !strncmp(name, "_Z", 2) || !strncmp(name, "_R", 2);

	return is_mangled ? 0 : strspn(name, "_");
}

/* malloc rather than __libc_malloc, free rather than cfree. */
static bool is_better_name(const char *name, const char *than)
{
	size_t underscores = leading_underscores(name),
	       than_underscores = leading_underscores(than);
	size_t length = strlen(name), than_length = strlen(than);

	if (underscores != than_underscores)
		return underscores < than_underscores;
	if (length != than_length)
		return length < than_length;
	return strcmp(name, than) < 0;
}

/* Of count aliases, equal in address and rank, the one whose name people use. */
static struct symbol_entry choose_alias(struct symbol_table_builder *builder,
					const struct symbol_entry *aliases, size_t count)
{
	char *best_name = builder->names[0], *name = builder->names[1];
	const struct symbol_entry *best = NULL;

	for (size_t i = 0; i < count; i++) {
		char *swap = best_name;

		if (symbol_entry_name(builder->table, &aliases[i], name))
			continue;
		if (best && !is_better_name(name, best_name))
			continue;
		best = &aliases[i];
		best_name = name;
		name = swap;
	}
	return best ? *best : aliases[0];
}

/* Bounds the names read for one address; glibc has up to 12 at one. */
#define ALIASES_MAX 64

static void keep_one_per_address(struct symbol_table_builder *builder)
{
	struct symbol_table *table = builder->table;
	size_t kept = 0;

	for (size_t start = 0, end; start < table->count; start = end) {
		const struct symbol_entry *first = &table->entries[start];
		size_t aliases = 1;

		for (end = start + 1; end < table->count; end++) {
			const struct symbol_entry *entry = &table->entries[end];

			if (entry->address != first->address)
				break;
			if (entry->rank == first->rank && aliases < ALIASES_MAX)
				aliases++;
		}
		table->entries[kept++] =
			aliases > 1 ? choose_alias(builder, first, aliases) : *first;
	}
	table->count = kept;
}

static uint64_t code_end(const struct symbol_table_builder *builder, uint64_t address)
{
	const struct elf_code_segment *segment;

	for (size_t i = 0; i < builder->section_count; i++)
		if (address >= builder->sections[i].address &&
		    address - builder->sections[i].address < builder->sections[i].bytes)
			return builder->sections[i].address + builder->sections[i].bytes;
	segment = elf_layout_segment(builder->layout, address);
	return segment ? segment->address + segment->file_bytes : address;
}

/*
 * A function that states no size is taken to reach to the next one, but not out of its section. One
 * inside a function that does state its size is a label of that one, and stays without size.
 */
static void size_unsized(struct symbol_table_builder *builder)
{
	struct symbol_table *table = builder->table;
	uint64_t covered_until = 0;

	for (size_t i = 0; i < table->count; i++) {
		struct symbol_entry *entry = &table->entries[i];
		uint64_t end = entry->address + entry->size_bytes;

		if (entry->size_bytes && end > covered_until)
			covered_until = end;
		if (entry->size_bytes || entry->address < covered_until)
			continue;
		end = code_end(builder, entry->address);
		if (i + 1 < table->count && table->entries[i + 1].address < end)
			end = table->entries[i + 1].address;
		entry->size_bytes = end - entry->address < SYMBOL_SIZE_MAX_BYTES
					    ? (uint32_t)(end - entry->address)
					    : SYMBOL_SIZE_MAX_BYTES;
	}
}

static void shrink_to_fit(struct symbol_table *table)
{
	size_t count = table->count ? table->count : 1;
	void *entries = realloc(table->entries, count * sizeof(*table->entries));

	if (entries)
		table->entries = entries;
}

/* Makes what was collected searchable. */
static void finish_table(struct symbol_table_builder *builder)
{
	struct symbol_table *table = builder->table;

	if (!table->count)
		return;
	qsort(table->entries, table->count, sizeof(*table->entries), compare_entries);
	keep_one_per_address(builder);
	size_unsized(builder);
	shrink_to_fit(table);
}

/* A file that can't be read adds nothing. Returns 0 or -ENOMEM. */
static int read_file(struct symbol_table_builder *builder, const struct symbol_file *file,
		     uint32_t index)
{
	int error;

	builder->elf = file->fd < 0 ? NULL : elf_file_open(file->fd);
	if (!builder->elf)
		return 0;
	builder->file = *file;
	builder->file_index = index;
	error = read_sections(builder);
	elf_end(builder->elf);
	return error == -ENOMEM ? error : 0;
}

int symbol_table_build(const struct symbol_file files[static SYMBOL_FILES_MAX],
		       const struct elf_layout *layout, size_t bytes_max,
		       struct symbol_table **table)
{
	struct symbol_table_builder *builder = calloc(1, sizeof(*builder));
	int error = -ENOMEM;

	if (!builder)
		return -ENOMEM;
	builder->layout = layout;
	builder->count_max = bytes_max / sizeof(struct symbol_entry);
	builder->table = calloc(1, sizeof(*builder->table));
	if (!builder->table)
		goto out;
	error = 0;
	/* One .symtab has all functions; the .dynsym beside it has their public names. */
	for (uint32_t i = 0; i < SYMBOL_FILES_MAX && !error && !builder->has_symtab; i++)
		error = read_file(builder, &files[i], i);
	if (error)
		goto out;
	finish_table(builder);
	*table = builder->table;
	builder->table = NULL;
out:
	symbol_table_free(builder->table);
	free(builder);
	return error;
}
