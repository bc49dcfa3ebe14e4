/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the file piece by piece with pread and never maps it: whoever can write to the file could
 * cut it short under a mapping, and SIGBUS would end the daemon. No table is held in memory as a
 * whole, since names alone take 60 MB in libraries such as libtorch.
 */
#include "probe/elf_function.h"

#include <elf.h>
#include <errno.h>
#include <stdbool.h>
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

/* Bounds on what a file may make us read and remember; real ones stay far below. */
#define TABLE_BYTES_MAX   (64ULL << 20)
#define PLACES_MAX        (1U << 20)
#define CHUNK_BYTES       65536
#define SYMBOLS_PER_CHUNK (CHUNK_BYTES / sizeof(Elf64_Sym))

#define VERSION_IS_HIDDEN 0x8000 /* in .gnu.version: not the default version of its name */

/* How well a symbol answers for a name; the first of the best rank is taken. */
enum rank {
	RANK_NONE,
	RANK_LOCAL, /* hidden symbols of static-pie executables end as local ones */
	RANK_OLD_VERSION,
	RANK_GLOBAL,
	RANK_DYNAMIC,
};

struct name {
	const char *text; /* borrowed */
	size_t bytes;
};

/* A place in the string table where one of the names begins. */
struct place {
	uint32_t offset;
	uint32_t name;
};

struct search {
	int fd;
	uint64_t file_bytes;
	Elf64_Ehdr header;
	Elf64_Phdr *segments; /* header.e_phnum */
	Elf64_Shdr *sections; /* header.e_shnum */

	struct name *names;
	enum rank *ranks;           /* name_count */
	struct elf_function *found; /* name_count, borrowed */
	size_t name_count;
	size_t longest_name_bytes;

	/* Of the string table that is being searched; ascending. */
	struct place *places;
	size_t place_count;
	size_t place_capacity;
};

static size_t smaller(uint64_t a, size_t b)
{
	return a < b ? (size_t)a : b;
}

static int file_read(const struct search *search, uint64_t offset, void *buffer, size_t bytes)
{
	char *to = buffer;

	if (offset > search->file_bytes || bytes > search->file_bytes - offset)
		return -ENOEXEC;
	while (bytes) {
		ssize_t count = pread(search->fd, to, bytes, (off_t)offset);

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

static int header_read(struct search *search)
{
	Elf64_Ehdr *header = &search->header;
	struct stat status;
	int error;

	if (fstat(search->fd, &status))
		return -errno;
	if (!S_ISREG(status.st_mode))
		return -ENOEXEC;
	search->file_bytes = (uint64_t)status.st_size;
	error = file_read(search, 0, header, sizeof(*header));
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
static int header_read_table(const struct search *search, uint64_t offset, size_t count,
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
	error = file_read(search, offset, *table, count * entry_bytes);
	if (error) {
		free(*table);
		*table = NULL;
	}
	return error;
}

static int places_add(struct search *search, uint64_t offset, size_t name)
{
	if (search->place_count == search->place_capacity) {
		size_t capacity = search->place_capacity ? search->place_capacity * 2 : 64;
		struct place *places;

		if (capacity > PLACES_MAX)
			return -EFBIG;
		places = realloc(search->places, capacity * sizeof(*places));
		if (!places)
			return -ENOMEM;
		search->places = places;
		search->place_capacity = capacity;
	}
	search->places[search->place_count++] =
		(struct place){.offset = (uint32_t)offset, .name = (uint32_t)name};
	return 0;
}

/*
 * Names that end at one of the terminators after the first `history_bytes` of the buffer. A name
 * may be the tail of a longer string: linkers store "malloc" inside "__libc_malloc".
 */
static int places_find_in(struct search *search, const char *buffer, size_t history_bytes,
			  size_t buffer_bytes, uint64_t buffer_offset)
{
	const char *from = buffer + history_bytes;
	const char *limit = buffer + buffer_bytes;
	const char *end;

	while ((end = memchr(from, 0, (size_t)(limit - from)))) {
		for (size_t i = 0; i < search->name_count; i++) {
			const struct name *name = &search->names[i];
			int error;

			if (name->bytes == 0 || name->bytes > (size_t)(end - buffer) ||
			    end[-1] != name->text[name->bytes - 1] ||
			    memcmp(end - name->bytes, name->text, name->bytes) != 0)
				continue;
			error = places_add(
				search, buffer_offset + (uint64_t)(end - name->bytes - buffer), i);
			if (error)
				return error;
		}
		from = end + 1;
	}
	return 0;
}

static int place_compare(const void *a, const void *b)
{
	uint32_t first = ((const struct place *)a)->offset;
	uint32_t second = ((const struct place *)b)->offset;

	return (first > second) - (first < second);
}

/* All places in the string table where one of the names stands. */
static int places_find(struct search *search, const Elf64_Shdr *strings)
{
	size_t history_bytes = 0;
	char *buffer = malloc(search->longest_name_bytes + CHUNK_BYTES);
	int error = 0;

	if (!buffer)
		return -ENOMEM;
	search->place_count = 0;
	for (uint64_t done = 0; done < strings->sh_size;) {
		size_t bytes = smaller(strings->sh_size - done, CHUNK_BYTES);
		size_t kept_bytes;

		error = file_read(search, strings->sh_offset + done, buffer + history_bytes, bytes);
		if (error)
			goto out;
		bytes += history_bytes;
		error = places_find_in(search, buffer, history_bytes, bytes, done - history_bytes);
		if (error)
			goto out;
		done += bytes - history_bytes;
		kept_bytes = smaller(bytes, search->longest_name_bytes);
		memmove(buffer, buffer + bytes - kept_bytes, kept_bytes);
		history_bytes = kept_bytes;
	}
	if (search->place_count)
		qsort(search->places, search->place_count, sizeof(*search->places), place_compare);
out:
	free(buffer);
	return error;
}

/* Whether the file says where the function is. */
static bool function_locate(const struct search *search, const Elf64_Sym *symbol,
			    struct elf_function *function)
{
	for (size_t i = 0; i < search->header.e_phnum; i++) {
		const Elf64_Phdr *segment = &search->segments[i];
		uint64_t distance = symbol->st_value - segment->p_vaddr;
		uint64_t left_bytes;

		if (segment->p_type != PT_LOAD || !(segment->p_flags & PF_X) ||
		    symbol->st_value < segment->p_vaddr || distance >= segment->p_filesz)
			continue;
		if (segment->p_offset > search->file_bytes ||
		    segment->p_filesz > search->file_bytes - segment->p_offset)
			return false;
		left_bytes = segment->p_filesz - distance;
		function->file_offset = segment->p_offset + distance;
		function->size_bytes = smaller(symbol->st_size, left_bytes);
		return function->file_offset != 0;
	}
	return false;
}

static enum rank symbol_rank(const Elf64_Sym *symbol, bool is_dynamic, Elf64_Versym version)
{
	/* Not the resolvers of STT_GNU_IFUNC: what they return is called, they aren't. */
	if (ELF64_ST_TYPE(symbol->st_info) != STT_FUNC || symbol->st_shndx == SHN_UNDEF ||
	    symbol->st_shndx == SHN_ABS || symbol->st_shndx == SHN_COMMON)
		return RANK_NONE;
	if (ELF64_ST_BIND(symbol->st_info) == STB_LOCAL)
		return RANK_LOCAL;
	if (!is_dynamic)
		return RANK_GLOBAL;
	return version & VERSION_IS_HIDDEN ? RANK_OLD_VERSION : RANK_DYNAMIC;
}

static void symbol_consider(struct search *search, const Elf64_Sym *symbol, enum rank rank)
{
	size_t low = 0;
	size_t high = search->place_count;

	if (rank == RANK_NONE)
		return;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (search->places[middle].offset < symbol->st_name)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < search->place_count && search->places[low].offset == symbol->st_name; low++) {
		size_t name = search->places[low].name;
		struct elf_function function;

		if (rank > search->ranks[name] && function_locate(search, symbol, &function)) {
			search->ranks[name] = rank;
			search->found[name] = function;
		}
	}
}

static int symbols_search(struct search *search, const Elf64_Shdr *table,
			  const Elf64_Shdr *versions)
{
	struct {
		Elf64_Sym symbols[SYMBOLS_PER_CHUNK];
		Elf64_Versym versions[SYMBOLS_PER_CHUNK];
	} *chunk = calloc(1, sizeof(*chunk));
	uint64_t symbol_count = table->sh_size / sizeof(Elf64_Sym);
	int error = 0;

	if (!chunk)
		return -ENOMEM;
	for (uint64_t first = 0; first < symbol_count; first += SYMBOLS_PER_CHUNK) {
		size_t count = smaller(symbol_count - first, SYMBOLS_PER_CHUNK);

		error = file_read(search, table->sh_offset + first * sizeof(Elf64_Sym),
				  chunk->symbols, count * sizeof(Elf64_Sym));
		if (!error && versions)
			error = file_read(search,
					  versions->sh_offset + first * sizeof(Elf64_Versym),
					  chunk->versions, count * sizeof(Elf64_Versym));
		if (error)
			break;
		for (size_t i = 0; i < count; i++)
			symbol_consider(search, &chunk->symbols[i],
					symbol_rank(&chunk->symbols[i],
						    table->sh_type == SHT_DYNSYM,
						    chunk->versions[i]));
	}
	free(chunk);
	return error;
}

static const Elf64_Shdr *section_of_type(const struct search *search, uint32_t type)
{
	for (size_t i = 0; i < search->header.e_shnum; i++) {
		if (search->sections[i].sh_type == type)
			return &search->sections[i];
	}
	return NULL;
}

static int section_check(const struct search *search, const Elf64_Shdr *section)
{
	if (section->sh_offset > search->file_bytes ||
	    section->sh_size > search->file_bytes - section->sh_offset)
		return -ENOEXEC;
	return section->sh_size > TABLE_BYTES_MAX ? -EFBIG : 0;
}

static int table_search(struct search *search, uint32_t type)
{
	const Elf64_Shdr *table = section_of_type(search, type);
	const Elf64_Shdr *versions = NULL;
	const Elf64_Shdr *strings;
	int error;

	if (!table)
		return 0;
	if (table->sh_entsize != sizeof(Elf64_Sym) || table->sh_link >= search->header.e_shnum)
		return -ENOEXEC;
	strings = &search->sections[table->sh_link];
	if (strings->sh_type != SHT_STRTAB)
		return -ENOEXEC;
	error = section_check(search, table);
	if (!error)
		error = section_check(search, strings);
	if (!error && type == SHT_DYNSYM) {
		versions = section_of_type(search, SHT_GNU_versym);
		if (versions &&
		    versions->sh_size / sizeof(Elf64_Versym) < table->sh_size / sizeof(Elf64_Sym))
			error = -ENOEXEC;
		else if (versions)
			error = section_check(search, versions);
	}
	if (!error)
		error = places_find(search, strings);
	if (!error && search->place_count)
		error = symbols_search(search, table, versions);
	return error;
}

static int names_prepare(struct search *search, const char *const *names)
{
	search->names = calloc(search->name_count, sizeof(*search->names));
	search->ranks = calloc(search->name_count, sizeof(*search->ranks));
	if (!search->names || !search->ranks)
		return -ENOMEM;
	for (size_t i = 0; i < search->name_count; i++) {
		size_t bytes = strlen(names[i]);

		search->names[i] = (struct name){.text = names[i], .bytes = bytes};
		if (bytes > search->longest_name_bytes)
			search->longest_name_bytes = bytes;
	}
	return 0;
}

static int file_search(struct search *search)
{
	const Elf64_Ehdr *header = &search->header;
	void *table;
	int error = header_read(search);

	if (error)
		return error;
	error = header_read_table(search, header->e_phoff, header->e_phnum, header->e_phentsize,
				  sizeof(Elf64_Phdr), &table);
	if (error)
		return error;
	search->segments = table;
	error = header_read_table(search, header->e_shoff, header->e_shnum, header->e_shentsize,
				  sizeof(Elf64_Shdr), &table);
	if (error)
		return error;
	search->sections = table;
	/* Counts without a table, and counts kept elsewhere because they don't fit: object files.
	 */
	if (!search->segments)
		search->header.e_phnum = 0;
	if (!search->sections)
		search->header.e_shnum = 0;
	error = table_search(search, SHT_DYNSYM);
	return error ? error : table_search(search, SHT_SYMTAB);
}

int elf_functions_find(int fd, const char *const *names, size_t name_count,
		       struct elf_function *found)
{
	struct search search = {.fd = fd, .found = found, .name_count = name_count};
	int result;

	if (name_count == 0)
		return 0;
	memset(found, 0, name_count * sizeof(*found));
	result = names_prepare(&search, names);
	if (!result)
		result = file_search(&search);
	if (result)
		memset(found, 0, name_count * sizeof(*found));
	for (size_t i = 0; i < name_count; i++)
		result += found[i].file_offset != 0;
	free(search.places);
	free(search.sections);
	free(search.segments);
	free(search.ranks);
	free(search.names);
	return result;
}
