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

int module_fd(const struct module *module)
{
	return module->fd;
}

/* One of the two may fail and the other still be worth having. */
static struct symbol_name find_names(struct module *module, uint64_t file_offset)
{
	struct symbol_name name = {0};
	uint64_t address;

	if (!elf_layout_address(&module->layout, file_offset, &address)) {
		module_find_function(module, address, &name);
		module_find_line(module, address, &name);
	}
	return name;
}

int module_symbolize(struct module *module, uint64_t file_offset, struct symbol_name *name)
{
	const struct symbol_name *known;
	struct symbol_name found;
	size_t tables_bytes;

	pthread_mutex_lock(&module->lock);
	module_search_again(module);
	known = frame_table_find(&module->tables.frames, file_offset);
	if (known) {
		found = *known;
	} else {
		found = find_names(module, file_offset);
		frame_table_put(&module->tables.frames, file_offset, &found);
	}
	tables_bytes = module_tables_bytes(&module->tables);
	pthread_mutex_unlock(&module->lock);

	module_cache_account(module, tables_bytes);
	if (!found.function && !found.file)
		return -ENOENT;
	*name = found;
	return 0;
}
