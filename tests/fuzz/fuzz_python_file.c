/* SPDX-License-Identifier: Apache-2.0 */
/* ELF files that say they hold an interpreter: its symbols, and the parts of its evaluation. */
#include "python/evaluation.h"
#include "python/interpreter_file.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct evaluation_part parts[EVALUATION_PARTS_MAX];
	struct interpreter_symbols symbols;
	int fd = memfd_create("input", MFD_CLOEXEC);
	size_t count;

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	if (!interpreter_symbols_read(fd, &symbols)) {
		count = evaluation_parts_find(fd, symbols.evaluation, symbols.evaluation_bytes,
					      parts);
		if (!count || count > EVALUATION_PARTS_MAX)
			abort();
	}
	close(fd);
	return 0;
}
