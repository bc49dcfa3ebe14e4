/* SPDX-License-Identifier: Apache-2.0 */
#include "target/probe_check.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static bool is_missing(int memory_fd, const struct probe_place *place)
{
	unsigned char found, in_file;

	return pread(memory_fd, &found, 1, (off_t)place->address) == 1 &&
	       pread(module_fd(place->module), &in_file, 1, (off_t)place->file_offset) == 1 &&
	       found == in_file;
}

size_t probe_places_missing(pid_t pid, const struct probe_place *places, size_t count)
{
	size_t missing = 0;
	char path[64];
	int memory_fd;

	snprintf(path, sizeof(path), "/proc/%d/mem", (int)pid);
	memory_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (memory_fd < 0)
		return 0;
	for (size_t i = 0; i < count; i++)
		missing += is_missing(memory_fd, &places[i]);
	close(memory_fd);
	return missing;
}
