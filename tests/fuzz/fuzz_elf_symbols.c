/* SPDX-License-Identifier: Apache-2.0 */
/* ELF files with their symbols and line tables, names through the demangler included. */
#include "symbol/module.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define LOOKUPS_MAX 256

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void symbolize_throughout(struct module *module, size_t file_bytes)
{
	size_t step = file_bytes / LOOKUPS_MAX + 1;
	struct symbol_name name;

	for (size_t offset = 0; offset < file_bytes; offset += step)
		if (!module_symbolize(module, offset, &name) && !name.function && !name.file)
			abort();
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
