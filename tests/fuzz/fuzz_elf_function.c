/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as an ELF file. What is found must lie inside the file. */
#include "probe/elf_function.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = {"malloc", "free", "main", "f", "malloc", ""};
	const size_t name_count = sizeof(names) / sizeof(names[0]);
	struct elf_function found[sizeof(names) / sizeof(names[0])];
	static int fd = -1;
	int count;

	if (fd < 0)
		fd = memfd_create("elf", MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, 0) || pwrite(fd, data, size, 0) != (ssize_t)size)
		abort();
	count = elf_functions_find(fd, names, name_count, found);
	if (count > (int)name_count)
		abort();
	for (size_t i = 0; i < name_count; i++) {
		count -= found[i].file_offset != 0;
		if (found[i].file_offset && (found[i].file_offset >= size ||
					     found[i].size_bytes > size - found[i].file_offset))
			abort();
	}
	/* either an error, where nothing is found, or the right count */
	if (count > 0)
		abort();
	return 0;
}
