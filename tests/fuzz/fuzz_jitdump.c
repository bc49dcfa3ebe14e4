/* SPDX-License-Identifier: Apache-2.0 */
/* Records of a jitdump: code within the address space, names and files within their record. */
#include "symbol/jitdump_record.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_record(const char *bytes, size_t size)
{
	struct jitdump_record record;
	struct jitdump_line line;
	const char *name;
	size_t length;

	if (!jitdump_parse_record(bytes, size, &record)) {
		if (record.bytes < JITDUMP_PREFIX_BYTES)
			abort();
		if ((record.kind == JITDUMP_LOAD || record.kind == JITDUMP_MOVE) &&
		    (!record.code_bytes || record.code_bytes > UINT32_MAX ||
		     record.address + record.code_bytes < record.address))
			abort();
	}
	if (!jitdump_parse_name(bytes, size, &name, &length) &&
	    (!length || name < bytes || length > size - (size_t)(name - bytes)))
		abort();
	for (uint64_t shift = 0; shift <= 64; shift += 64)
		if (!jitdump_parse_line(bytes, size, record.address, 4096, shift,
					record.address + 16, &line) &&
		    (!line.line || line.file < bytes || line.file >= bytes + size ||
		     !memchr(line.file, '\0', size - (size_t)(line.file - bytes))))
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct jitdump_header header;
	/* Of exactly that size, so that reading on is noticed. */
	char *bytes = malloc(size ? size : 1);

	memcpy(bytes, data, size);
	if (!jitdump_parse_header(bytes, size, &header) && header.bytes < JITDUMP_HEADER_BYTES)
		abort();
	check_record(bytes, size);
	free(bytes);
	return 0;
}
