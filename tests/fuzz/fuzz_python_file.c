/* SPDX-License-Identifier: Apache-2.0 */
/* ELF files that say they hold an interpreter: its symbols, and the parts of its evaluation. */
#include "python/evaluation.h"
#include "python/file_memory.h"
#include "python/interpreter_file.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A process of which nothing is in memory. */
static int read_nothing(void *context, uint64_t address, void *buffer, size_t bytes)
{
	(void)context;
	(void)address;
	(void)buffer;
	(void)bytes;
	return -ENXIO;
}

/* What lies in the file where its symbols say. */
static void read_constants(int fd, const struct interpreter_symbols *symbols)
{
	const struct python_memory nothing = {.read = read_nothing};
	struct file_memory file = {.memory = &nothing, .fd = fd, .symbols = symbols, .bias = 4096};
	struct python_memory memory = file_memory_reader(&file);
	char bytes[8192];

	if (symbols->segment_count > INTERPRETER_SEGMENTS_MAX)
		abort();
	memory.read(memory.context, symbols->version + file.bias, bytes, sizeof(uint64_t));
	memory.read(memory.context, symbols->code_type + file.bias, bytes, sizeof(bytes));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct evaluation_part parts[EVALUATION_PARTS_MAX];
	struct interpreter_symbols symbols;
	int fd = memfd_create("input", MFD_CLOEXEC);
	size_t count;

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	if (!interpreter_symbols_read(fd, &symbols)) {
		read_constants(fd, &symbols);
		count = evaluation_parts_find(fd, symbols.evaluation, symbols.evaluation_bytes,
					      parts);
		if (!count || count > EVALUATION_PARTS_MAX)
			abort();
	}
	close(fd);
	return 0;
}
