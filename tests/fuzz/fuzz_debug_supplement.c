/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Links to supplementary debug files: a path and an id within what was read. And debug information
 * that refers to such a file, which here is the same hostile file.
 */
#include "symbol/debug_supplement.h"
#include "symbol/inline_table.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define LOOKUPS     64
#define TABLE_BYTES (1u << 16)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_link(const struct debug_supplement_link *link)
{
	size_t id = strlen(link->id);

	if (id < 16 || id > (size_t)2 * ELF_BUILD_ID_MAX_BYTES || id % 2 ||
	    strspn(link->id, "0123456789abcdef") != id || strlen(link->path) >= PATH_MAX)
		abort();
}

static void parse_links(const uint8_t *data, size_t size)
{
	struct debug_supplement_link link;
	/* Of exactly that size, so that reading on is noticed. */
	char *bytes = malloc(size ? size : 1);

	memcpy(bytes, data, size);
	if (!debug_supplement_parse_alt_link(bytes, size, &link))
		check_link(&link);
	if (!debug_supplement_parse_section(bytes, size, &link))
		check_link(&link);
	free(bytes);
}

static void find_names(struct inline_table *table, const struct elf_layout *layout)
{
	char name[SYMBOL_NAME_MAX_BYTES];
	struct inline_chain chain;

	for (size_t i = 0; i < layout->segment_count; i++) {
		const struct elf_code_segment *segment = &layout->segments[i];
		uint64_t step = segment->file_bytes / LOOKUPS;

		for (uint64_t lookup = 0; lookup < LOOKUPS; lookup++) {
			if (inline_table_find(table, segment->address + lookup * step, &chain))
				continue;
			for (size_t call = 0; call < chain.count; call++)
				if (!inline_table_name(table, chain.calls[call].origin, name) &&
				    strlen(name) >= sizeof(name))
					abort();
		}
	}
}

static void read_file(const struct symbol_file *file)
{
	struct debug_supplement_link link;
	const bool is_cancelled = false;
	struct inline_table *table;
	struct elf_layout layout;

	if (!debug_supplement_read_link(file, &link))
		check_link(&link);
	if (elf_layout_read(file->fd, &layout) ||
	    inline_table_build(file, file, &layout, TABLE_BYTES, &is_cancelled, &table))
		return;
	find_names(table, &layout);
	inline_table_free(table);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct symbol_file file = {.fd = memfd_create("fuzz", MFD_CLOEXEC), .bytes = size};

	parse_links(data, size);
	if (file.fd < 0)
		return 0;
	if (write(file.fd, data, size) == (ssize_t)size)
		read_file(&file);
	close(file.fd);
	return 0;
}
