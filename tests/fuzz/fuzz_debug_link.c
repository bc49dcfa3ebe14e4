/* SPDX-License-Identifier: Apache-2.0 */
/* .gnu_debuglink: the name it gives is a string without folders, inside of what was read. */
#include "symbol/debug_file.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *bytes = (const char *)data, *name;
	uint32_t checksum;

	if (debug_link_parse(bytes, size, &name, &checksum))
		return 0;
	if (name < bytes || name + strlen(name) + sizeof(checksum) >= bytes + size ||
	    strchr(name, '/') || !name[0])
		abort();
	return 0;
}
