/* SPDX-License-Identifier: Apache-2.0 */
/* ELF files with their symbols, line tables and inlined functions, names through the demangler
 * included. */
#include "symbol/module.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define LOOKUPS_MAX 256

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void symbolize_throughout(struct module *module, size_t file_bytes)
{
	size_t step = file_bytes / LOOKUPS_MAX + 1;
	struct symbol_frames frames;

	for (size_t offset = 0; offset < file_bytes; offset += step) {
		if (module_symbolize_inlined(module, offset, &frames))
			continue;
		if (!frames.count || frames.count > SYMBOL_INLINED_MAX + 1)
			abort();
		for (size_t i = 0; i + 1 < frames.count; i++)
			if (!frames.names[i].function)
				abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct module_cache *cache = module_cache_new(1 << 20, 1);
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	const struct module_file file = {.fd = fd, .path = "fuzz", .root_fd = -1};
	struct module *module;

	if (cache && fd >= 0 && write(fd, data, size) == (ssize_t)size &&
	    !module_cache_get(cache, &file, &module)) {
		symbolize_throughout(module, size);
		module_release(module);
	}
	if (fd >= 0)
		close(fd);
	module_cache_free(cache);
	return 0;
}
