/* SPDX-License-Identifier: Apache-2.0 */
#include "symbol/module.h"

#include "symbol/module_private.h"

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

/* What can't be found is left out: the rest is worth having. */
static struct symbol_frames find_names(struct module *module, uint64_t file_offset)
{
	struct symbol_frames frames = {.count = 1};
	uint64_t address;

	if (!elf_layout_address(&module->layout, file_offset, &address)) {
		module_find_function(module, address, &frames.names[0]);
		module_find_line(module, address, &frames.names[0]);
		module_find_inlined(module, address, &frames);
	}
	return frames;
}

int module_symbolize_inlined(struct module *module, uint64_t file_offset,
			     struct symbol_frames *frames)
{
	struct symbol_frames found;
	size_t tables_bytes;

	pthread_mutex_lock(&module->lock);
	module_search_again(module);
	if (!frame_table_find(&module->tables.frames, file_offset, &found)) {
		found = find_names(module, file_offset);
		frame_table_put(&module->tables.frames, file_offset, &found);
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
