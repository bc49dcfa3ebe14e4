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
	uint32_t rank : 4; /* while building: of symbols at one address the lowest stays */
	uint32_t is_dynamic : 1;
	uint32_t name; /* offset in the string section */
};
_Static_assert(sizeof(struct symbol_entry) == 16, "one of the largest tables of the daemon");

struct string_section {
	uint64_t file_offset;
	uint64_t bytes;
};

struct symbol_table {
	struct string_section strings[2]; /* .strtab, .dynstr */
	struct symbol_entry *entries;     /* by address, each address once */
	size_t count;
};

int symbol_entry_name(const struct symbol_table *table, int fd, const struct symbol_entry *entry,
		      char name[static SYMBOL_NAME_MAX_BYTES]);

#endif
