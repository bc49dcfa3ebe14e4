/* SPDX-License-Identifier: Apache-2.0 */
#include "symbol/frame_table.h"

#include <stdlib.h>
#include <string.h>

#define SLOTS_INITIAL 64

static struct frame_entry *slot_find(struct frame_entry *slots, size_t slot_count,
				     uint64_t file_offset)
{
	size_t index = (file_offset * 0x9e3779b97f4a7c15) >> 32 & (slot_count - 1);

	while (slots[index].is_used && slots[index].file_offset != file_offset)
		index = (index + 1) & (slot_count - 1);
	return &slots[index];
}

enum symbol_state frame_table_find(const struct frame_table *table, uint64_t file_offset,
				   struct symbol_frames *frames)
{
	const struct frame_entry *slot;

	if (!table->slot_count)
		return SYMBOL_UNKNOWN;
	slot = slot_find(table->slots, table->slot_count, file_offset);
	if (!slot->is_used)
		return SYMBOL_UNKNOWN;
	if (slot->inlined_count)
		memcpy(frames->names, slot->inlined,
		       slot->inlined_count * sizeof(frames->names[0]));
	frames->names[slot->inlined_count] = slot->name;
	frames->count = slot->inlined_count + 1;
	return slot->is_complete ? SYMBOL_COMPLETE : SYMBOL_FUNCTION_ALONE;
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

/* What was inlined, in memory that the entry owns. False when out of memory. */
static bool copy_inlined(struct frame_entry *entry, const struct symbol_frames *frames)
{
	size_t bytes = (frames->count - 1) * sizeof(frames->names[0]);

	if (!bytes)
		return true;
	entry->inlined = malloc(bytes);
	if (!entry->inlined)
		return false;
	memcpy(entry->inlined, frames->names, bytes);
	entry->inlined_count = (uint32_t)(frames->count - 1);
	return true;
}

void frame_table_put(struct frame_table *table, uint64_t file_offset,
		     const struct symbol_frames *frames, enum symbol_state state)
{
	struct frame_entry entry = {
		.file_offset = file_offset,
		.name = frames->names[frames->count - 1],
		.is_used = true,
		.is_complete = state == SYMBOL_COMPLETE,
	};
	struct frame_entry *slot;

	if (table->used >= table->slot_count / 2 && !table_grow(table))
		return;
	slot = slot_find(table->slots, table->slot_count, file_offset);
	if (slot->is_used && (slot->is_complete || !entry.is_complete))
		return;
	if (!copy_inlined(&entry, frames))
		return;
	table->used += !slot->is_used;
	*slot = entry;
	table->inlined_count += entry.inlined_count;
}

void frame_table_clear(struct frame_table *table)
{
	for (size_t i = 0; i < table->slot_count; i++)
		free(table->slots[i].inlined);
	free(table->slots);
	*table = (struct frame_table){0};
}

size_t frame_table_bytes(const struct frame_table *table)
{
	return table->slot_count * sizeof(*table->slots) +
	       table->inlined_count * sizeof(struct symbol_name);
}
