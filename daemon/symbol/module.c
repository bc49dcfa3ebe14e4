/* SPDX-License-Identifier: Apache-2.0 */
#include "symbol/module.h"

#include "symbol/module_private.h"

#include "clock.h"

#include <errno.h>

const char *module_path(const struct module *module)
{
	return module->path;
}

const char *module_build_id(const struct module *module)
{
	return module->layout.build_id;
}

int module_word_bits(const struct module *module)
{
	return module->layout.word_bits;
}

int module_link_address(const struct module *module, uint64_t file_offset, uint64_t file_bytes,
			uint64_t *address)
{
	return elf_layout_mapping_address(&module->layout, file_offset, file_bytes, address);
}

int module_fd(const struct module *module)
{
	return module->fd;
}

uint64_t module_file_bytes(const struct module *module)
{
	return module->layout.file_bytes;
}

static enum symbol_state find_known(struct module *module, uint64_t file_offset,
				    struct symbol_frames *frames)
{
	enum symbol_state state;

	pthread_mutex_lock(&module->names.lock);
	state = frame_table_find(&module->names.frames, file_offset, frames);
	pthread_mutex_unlock(&module->names.lock);
	return state;
}

static void put_known(struct module *module, uint64_t file_offset,
		      const struct symbol_frames *frames, enum symbol_state state)
{
	pthread_mutex_lock(&module->names.lock);
	frame_table_put(&module->names.frames, file_offset, frames, state);
	pthread_mutex_unlock(&module->names.lock);
}

#define SEARCH_TELL_SECONDS 1.0

/* Each of its names is as good a reason to look again: one is enough. With the names' lock. */
static bool tell_search_due(struct module *module)
{
	double now;

	if (!module_is_search_due(module))
		return false;
	now = clock_monotonic_seconds();
	if (now - module->names.search_told_seconds < SEARCH_TELL_SECONDS)
		return false;
	module->names.search_told_seconds = now;
	return true;
}

enum symbol_state module_find_known(struct module *module, uint64_t file_offset,
				    struct symbol_frames *frames, bool *is_stale)
{
	enum symbol_state state;
	bool has_arrivals;

	pthread_mutex_lock(&module->names.lock);
	has_arrivals = module_has_arrivals(module);
	state = frame_table_find(&module->names.frames, file_offset, frames);
	*is_stale = tell_search_due(module);
	pthread_mutex_unlock(&module->names.lock);
	if (state == SYMBOL_COMPLETE)
		module_cache_touch(module);
	return state == SYMBOL_COMPLETE && has_arrivals ? SYMBOL_FUNCTION_ALONE : state;
}

/* What can't be found is left out: the rest is worth having. */
static void find_names(struct module *module, uint64_t file_offset, enum symbol_state known,
		       struct symbol_frames *frames)
{
	uint64_t address;

	if (known == SYMBOL_UNKNOWN)
		*frames = (struct symbol_frames){.count = 1};
	if (elf_layout_address(&module->layout, file_offset, &address))
		return;
	if (known == SYMBOL_UNKNOWN)
		module_find_function(module, address, &frames->names[0]);
	module_find_line(module, address, &frames->names[0]);
	module_find_inlined(module, address, frames);
}

static void find_function(struct module *module, uint64_t file_offset)
{
	struct symbol_frames frames = {.count = 1};
	uint64_t address;

	if (find_known(module, file_offset, &frames) != SYMBOL_UNKNOWN)
		return;
	frames = (struct symbol_frames){.count = 1};
	if (!elf_layout_address(&module->layout, file_offset, &address))
		module_find_function(module, address, &frames.names[0]);
	put_known(module, file_offset, &frames, SYMBOL_FUNCTION_ALONE);
}

void module_symbolize_functions(struct module *module, const uint64_t *file_offsets, size_t count)
{
	size_t tables_bytes;

	pthread_mutex_lock(&module->lock);
	module_search_again(module);
	for (size_t i = 0; !module->tables.lines && i < count; i++)
		find_function(module, file_offsets[i]);
	tables_bytes = module_tables_bytes(&module->tables);
	pthread_mutex_unlock(&module->lock);

	module_cache_account(module, tables_bytes);
}

int module_symbolize_inlined(struct module *module, uint64_t file_offset,
			     struct symbol_frames *frames)
{
	struct symbol_frames found;
	enum symbol_state known;
	size_t tables_bytes;

	pthread_mutex_lock(&module->lock);
	module_search_again(module);
	known = find_known(module, file_offset, &found);
	if (known != SYMBOL_COMPLETE) {
		find_names(module, file_offset, known, &found);
		put_known(module, file_offset, &found, SYMBOL_COMPLETE);
	}
	tables_bytes = module_tables_bytes(&module->tables);
	pthread_mutex_unlock(&module->lock);

	module_cache_account(module, tables_bytes);
	if (found.count == 1 && !found.names[0].function && !found.names[0].file)
		return -ENOENT;
	*frames = found;
	return 0;
}

int module_symbolize(struct module *module, uint64_t file_offset, struct symbol_name *name)
{
	struct symbol_frames frames;
	int error = module_symbolize_inlined(module, file_offset, &frames);

	if (error)
		return error;
	*name = frames.names[frames.count - 1];
	name->file = frames.names[0].file;
	name->line = frames.names[0].line;
	return 0;
}
