/* SPDX-License-Identifier: Apache-2.0 */
#include "python/code_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A power of two. Large programs have 50,000 functions; of these a few thousand allocate. */
#define BUCKETS     65536
#define ENTRIES_MAX (BUCKETS / 2)

struct code_table {
	struct code_entry {
		uint32_t account;
		uint64_t address;
		struct python_code *code; /* held; NULL: a free entry */
	} entries[BUCKETS];
	size_t count;
};

struct code_table *code_table_new(void)
{
	return calloc(1, sizeof(struct code_table));
}

static void forget_all(struct code_table *table)
{
	for (size_t i = 0; i < BUCKETS; i++)
		if (table->entries[i].code)
			python_code_release(table->entries[i].code);
	memset(table, 0, sizeof(*table));
}

void code_table_free(struct code_table *table)
{
	if (!table)
		return;
	forget_all(table);
	free(table);
}

/* Its entry, or the free one where it belongs. */
static struct code_entry *look_up(struct code_table *table, uint32_t account, uint64_t address)
{
	uint64_t hash = (address ^ (uint64_t)account << 40) * 0x9e3779b97f4a7c15ULL;
	size_t index = (hash >> 32) & (BUCKETS - 1);

	while (table->entries[index].code && (table->entries[index].account != account ||
					      table->entries[index].address != address))
		index = (index + 1) & (BUCKETS - 1);
	return &table->entries[index];
}

struct python_code *code_table_find(struct code_table *table, uint32_t account,
				    const struct python_layout *layout,
				    const struct python_memory *memory, uint64_t address,
				    enum code_found *found)
{
	struct code_entry *entry = look_up(table, account, address);
	struct python_code *code;
	int error;

	*found = CODE_KNOWN;
	if (entry->code && python_code_is_same(entry->code, layout, memory, address))
		return python_code_hold(entry->code);
	error = python_code_read(layout, memory, address, &code);
	/* Of what is kept here for nobody but the next stack, there is room. */
	if (error == -ENOSPC && table->count) {
		forget_all(table);
		entry = look_up(table, account, address);
		error = python_code_read(layout, memory, address, &code);
	}
	/* Of a process that has gone meanwhile, what was known is all there is. */
	if (error && error != -EINVAL && entry->code)
		return python_code_hold(entry->code);
	*found = error == -ENODATA ? CODE_ABSENT : CODE_UNREADABLE;
	if (error)
		return NULL;
	*found = entry->code ? CODE_REPLACED : CODE_NEW;
	if (entry->code) {
		python_code_release(entry->code);
	} else {
		if (table->count == ENTRIES_MAX) {
			forget_all(table);
			entry = look_up(table, account, address);
		}
		table->count++;
	}
	*entry = (struct code_entry){.account = account, .address = address, .code = code};
	return python_code_hold(code);
}
