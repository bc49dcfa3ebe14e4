/* SPDX-License-Identifier: Apache-2.0 */
#include "symbol/frame_table.h"

#include <stdlib.h>

#define SLOTS_INITIAL 64

static struct frame_entry *slot_find(struct frame_entry *slots, size_t slot_count,
				     uint64_t file_offset)
{
	size_t index = (file_offset * 0x9e3779b97f4a7c15) >> 32 & (slot_count - 1);

	while (slots[index].is_used && slots[index].file_offset != file_offset)
		index = (index + 1) & (slot_count - 1);
	return &slots[index];
}

const struct symbol_name *frame_table_find(const struct frame_table *table, uint64_t file_offset)
{
	const struct frame_entry *slot;

	if (!table->slot_count)
		return NULL;
	slot = slot_find(table->slots, table->slot_count, file_offset);
	return slot->is_used ? &slot->name : NULL;
}

static bool table_grow(struct frame_table *table)
{
	size_t slot_count = table->slot_count ? table->slot_count * 2 : SLOTS_INITIAL;
	struct frame_entry *slots = calloc(slot_count, sizeof(*slots));

	if (!slots)
		return false;
	for (size_t i = 0; i < table->slot_count; i++)
		if (table->slots[i].is_used)
			*slot_find(slots, slot_count, table->slots[i].file_offset) =
				table->slots[i];
	free(table->slots);
	table->slots = slots;
	table->slot_count = slot_count;
	return true;
}

void frame_table_put(struct frame_table *table, uint64_t file_offset,
		     const struct symbol_name *name)
{
	struct frame_entry *slot;

	if (table->used >= table->slot_count / 2 && !table_grow(table))
		return;
	slot = slot_find(table->slots, table->slot_count, file_offset);
	table->used += !slot->is_used;
	*slot = (struct frame_entry){.file_offset = file_offset, .is_used = true, .name = *name};
}

void frame_table_clear(struct frame_table *table)
{
	free(table->slots);
	*table = (struct frame_table){0};
}

size_t frame_table_bytes(const struct frame_table *table)
{
	return table->slot_count * sizeof(*table->slots);
}
