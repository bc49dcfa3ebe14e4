/* SPDX-License-Identifier: Apache-2.0 */
/* What building a symbol table and searching it share. */
#ifndef MEMWATCH_SYMBOL_SYMBOL_TABLE_PRIVATE_H
#define MEMWATCH_SYMBOL_SYMBOL_TABLE_PRIVATE_H

#include "symbol/symbol_table.h"

/* No function comes near 128 MiB; a size that pretends to is cut to it. */
#define SYMBOL_SIZE_MAX_BYTES ((1u << 27) - 1)

struct symbol_entry {
	uint64_t address;
	uint32_t size_bytes : 27;
	uint32_t rank : 3; /* while building: of symbols at one address the lowest stays */
	uint32_t strings : 2;
	uint32_t name; /* offset in the string section */
};
_Static_assert(sizeof(struct symbol_entry) == 16, "one of the largest tables of the daemon");

struct string_section {
	int fd; /* borrowed */
	uint64_t file_offset;
	uint64_t bytes;
};

/* .strtab of each file, and .dynstr of the first. */
#define STRING_SECTIONS_MAX    (SYMBOL_FILES_MAX + 1)
#define STRING_SECTION_DYNAMIC SYMBOL_FILES_MAX
_Static_assert(STRING_SECTIONS_MAX <= 4, "an entry has two bits for it");

struct symbol_table {
	struct string_section strings[STRING_SECTIONS_MAX];
	struct symbol_entry *entries; /* by address, each address once */
	size_t count;
};

int symbol_entry_name(const struct symbol_table *table, const struct symbol_entry *entry,
		      char name[static SYMBOL_NAME_MAX_BYTES]);

#endif
