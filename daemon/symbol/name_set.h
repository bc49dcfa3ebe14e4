/* SPDX-License-Identifier: Apache-2.0 */
/* Frames whose names are wanted, each once, and the names found so far. Used by one thread at a
 * time. */
#ifndef MEMWATCH_SYMBOL_NAME_SET_H
#define MEMWATCH_SYMBOL_NAME_SET_H

#include "symbol/module.h"

struct named_frame {
	struct module *module; /* borrowed */
	uint64_t file_offset;
	struct symbol_name *names; /* innermost first; NULL while the state is unknown */
	uint32_t name_count;
	enum symbol_state state;
};

struct name_set {
	struct named_frame *frames; /* in the order of their coming; they move as more come */
	size_t count, capacity;
	uint32_t *slots;   /* open addressing: 0 is free, else 1 + index in frames */
	size_t slot_count; /* a power of two, or 0 */
};

/* 0, -EEXIST (it is there already) or -ENOMEM. */
int name_set_add(struct name_set *set, struct module *module, uint64_t file_offset);
/* Valid until more are added; NULL: it isn't there. */
struct named_frame *name_set_find(const struct name_set *set, const struct module *module,
				  uint64_t file_offset);
void name_set_clear(struct name_set *set);

/* Copies the names; the frame stays as it was when that fails: 0 or -ENOMEM. */
int named_frame_set(struct named_frame *frame, const struct symbol_frames *frames,
		    enum symbol_state state);

#endif
