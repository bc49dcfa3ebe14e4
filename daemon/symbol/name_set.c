/* SPDX-License-Identifier: Apache-2.0 */
#include "symbol/name_set.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS_INITIAL 64

static uint64_t frame_hash(const struct module *module, uint64_t file_offset)
{
	uint64_t hash = ((uint64_t)(uintptr_t)module >> 4) * 0x9e3779b97f4a7c15;

	return (hash ^ file_offset) * 0x9e3779b97f4a7c15 >> 32;
}

static uint32_t *slot_find(const struct name_set *set, const struct module *module,
			   uint64_t file_offset)
{
	size_t index = frame_hash(module, file_offset) & (set->slot_count - 1);

	for (;; index = (index + 1) & (set->slot_count - 1)) {
		uint32_t *slot = &set->slots[index];
		const struct named_frame *frame = &set->frames[*slot - (*slot > 0)];

		if (!*slot || (frame->module == module && frame->file_offset == file_offset))
			return slot;
	}
}

static int grow_slots(struct name_set *set)
{
	size_t slot_count = set->slot_count ? set->slot_count * 2 : SLOTS_INITIAL;
	uint32_t *slots = calloc(slot_count, sizeof(*slots));

	if (!slots)
		return -ENOMEM;
	free(set->slots);
	set->slots = slots;
	set->slot_count = slot_count;
	for (size_t i = 0; i < set->count; i++)
		*slot_find(set, set->frames[i].module, set->frames[i].file_offset) =
			(uint32_t)i + 1;
	return 0;
}

static int grow_frames(struct name_set *set)
{
	size_t capacity = set->capacity ? set->capacity * 2 : SLOTS_INITIAL;
	void *frames;

	if (capacity > UINT32_MAX)
		return -ENOMEM;
	frames = reallocarray(set->frames, capacity, sizeof(*set->frames));
	if (!frames)
		return -ENOMEM;
	set->frames = frames;
	set->capacity = capacity;
	return 0;
}

int name_set_add(struct name_set *set, struct module *module, uint64_t file_offset)
{
	uint32_t *slot;

	if (name_set_find(set, module, file_offset))
		return -EEXIST;
	if ((!set->frames || set->count == set->capacity) && grow_frames(set))
		return -ENOMEM;
	if (set->count >= set->slot_count / 2 && grow_slots(set))
		return -ENOMEM;
	slot = slot_find(set, module, file_offset);
	set->frames[set->count++] =
		(struct named_frame){.module = module, .file_offset = file_offset};
	*slot = (uint32_t)set->count;
	return 0;
}

struct named_frame *name_set_find(const struct name_set *set, const struct module *module,
				  uint64_t file_offset)
{
	const uint32_t *slot;

	if (!set->slot_count)
		return NULL;
	slot = slot_find(set, module, file_offset);
	return *slot ? &set->frames[*slot - 1] : NULL;
}

void name_set_clear(struct name_set *set)
{
	for (size_t i = 0; i < set->count; i++)
		free(set->frames[i].names);
	free(set->frames);
	free(set->slots);
	*set = (struct name_set){0};
}

int named_frame_set(struct named_frame *frame, const struct symbol_frames *frames,
		    enum symbol_state state)
{
	struct symbol_name *names = malloc(frames->count * sizeof(*names));

	if (!names)
		return -ENOMEM;
	memcpy(names, frames->names, frames->count * sizeof(*names));
	free(frame->names);
	frame->names = names;
	frame->name_count = (uint32_t)frames->count;
	frame->state = state;
	return 0;
}
