/* SPDX-License-Identifier: Apache-2.0 */
#include "symbol/symbol_table.h"

#include "symbol/symbol_table_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Hostile files can nest symbols without end; compilers and hand-written assembly go a few deep. */
#define NESTING_MAX 64

static const char ellipsis[] = "…";

/* A name with a version ("fopen@@GLIBC_2.2.5") is the function's name in front of it. */
static void cut_version(char *name)
{
	char *at = strchr(name + 1, '@');

	if (at)
		*at = '\0';
}

/* Reads towards the end of the section at most, so that a name that is never closed is an error. */
static int read_name(const struct string_section *strings, uint32_t offset, char *name,
		     size_t name_size)
{
	size_t wanted = 256, size;
	int error;

	if (offset >= strings->bytes)
		return -ENOENT;
	for (;; wanted = name_size) {
		size = strings->bytes - offset;
		if (size > wanted)
			size = wanted;
		error = elf_file_read(strings->fd, name, size, strings->file_offset + offset);
		if (error)
			return error;
		if (memchr(name, '\0', size))
			break;
		if (size < wanted)
			return -ENOENT;
		if (size == name_size) {
			memcpy(name + name_size - sizeof(ellipsis), ellipsis, sizeof(ellipsis));
			break;
		}
	}
	if (!name[0])
		return -ENOENT;
	cut_version(name);
	return 0;
}

int symbol_entry_name(const struct symbol_table *table, const struct symbol_entry *entry,
		      char name[static SYMBOL_NAME_MAX_BYTES])
{
	return read_name(&table->strings[entry->strings], entry->name, name, SYMBOL_NAME_MAX_BYTES);
}

void symbol_table_free(struct symbol_table *table)
{
	if (!table)
		return;
	free(table->entries);
	free(table);
}

size_t symbol_table_bytes(const struct symbol_table *table)
{
	return sizeof(*table) + table->count * sizeof(*table->entries);
}

/* How many entries start at or below an address. */
static size_t count_up_to(const struct symbol_table *table, uint64_t address)
{
	size_t low = 0, high = table->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (table->entries[middle].address <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Of nested functions the innermost that covers the address: it starts last. */
static const struct symbol_entry *find_entry(const struct symbol_table *table, uint64_t address)
{
	size_t index = count_up_to(table, address);

	for (int depth = 0; index > 0 && depth < NESTING_MAX; depth++) {
		const struct symbol_entry *entry = &table->entries[--index];

		if (address - entry->address < entry->size_bytes)
			return entry;
	}
	return NULL;
}

int symbol_table_find(const struct symbol_table *table, uint64_t address,
		      char name[static SYMBOL_NAME_MAX_BYTES], uint64_t *start)
{
	const struct symbol_entry *entry = find_entry(table, address);
	int error;

	if (!entry)
		return -ENOENT;
	error = symbol_entry_name(table, entry, name);
	if (!error)
		*start = entry->address;
	return error;
}
