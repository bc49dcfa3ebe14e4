/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of /proc/PID/maps, whose paths a process chooses. */
#include "symbol/address_space.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct address_range range;
	char *line = malloc(size + 1);

	if (!line)
		return 0;
	memcpy(line, data, size);
	line[size] = '\0';
	if (!address_range_parse(line, &range) && (range.start >= range.end || range.path < line ||
						   range.path + strlen(range.path) > line + size))
		abort();
	free(line);
	return 0;
}
