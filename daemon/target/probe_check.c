/* SPDX-License-Identifier: Apache-2.0 */
#include "target/probe_check.h"

#include <unistd.h>

static bool is_missing(int memory_fd, const struct address_space *space,
		       const struct module *module, uint64_t file_offset)
{
	unsigned char found, in_file;
	uint64_t address;

	return !address_space_find(space, module, file_offset, &address) &&
	       pread(memory_fd, &found, 1, (off_t)address) == 1 &&
	       pread(module_fd(module), &in_file, 1, (off_t)file_offset) == 1 && found == in_file;
}

size_t probe_check_missing(int memory_fd, const struct address_space *space,
			   const struct module *module, const struct probe_point *points,
			   size_t point_count)
{
	size_t count = 0;

	for (size_t i = 0; i < point_count; i++)
		count += is_missing(memory_fd, space, module, points[i].file_offset);
	return count;
}
