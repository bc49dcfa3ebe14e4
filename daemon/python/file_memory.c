/* SPDX-License-Identifier: Apache-2.0 */
#include "python/file_memory.h"

#include "symbol/elf_file.h"

#include <errno.h>

#define PAGE_BYTES 4096ULL

static int read_file(const struct file_memory *file, uint64_t address, void *buffer, size_t bytes)
{
	uint64_t linked = address - file->bias;

	for (size_t i = 0; i < file->symbols->segment_count; i++) {
		const struct interpreter_segment *segment = &file->symbols->segments[i];
		uint64_t at = linked - segment->address;

		if (linked >= segment->address && at <= segment->bytes &&
		    bytes <= segment->bytes - at)
			return elf_file_read(file->fd, buffer, bytes, segment->offset + at);
	}
	return -ENXIO;
}

/* Page by page: one may have been written to, and the next one not. */
static int read_memory(void *context, uint64_t address, void *buffer, size_t bytes)
{
	const struct file_memory *file = context;
	char *to = buffer;
	int error = file->memory->read(file->memory->context, address, buffer, bytes);

	if (error != -ENXIO)
		return error;
	while (bytes > 0) {
		size_t part = PAGE_BYTES - address % PAGE_BYTES;

		if (part > bytes)
			part = bytes;
		error = file->memory->read(file->memory->context, address, to, part);
		if (error == -ENXIO)
			error = read_file(file, address, to, part);
		if (error)
			return error;
		address += part;
		to += part;
		bytes -= part;
	}
	return 0;
}

struct python_memory file_memory_reader(struct file_memory *file_memory)
{
	return (struct python_memory){.read = read_memory, .context = file_memory};
}
