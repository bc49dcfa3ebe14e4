/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of /tmp/perf-PID.map: a function lies within the address space, its name within the line.
 */
#include "symbol/perf_map.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t start, bytes;
	size_t name;
	/* Of exactly that size, so that reading on is noticed. */
	char *line = malloc(size ? size : 1);

	memcpy(line, data, size);
	if (!perf_map_parse_line(line, size, &start, &bytes, &name) &&
	    (!start || !bytes || start + bytes < start || name >= size))
		abort();
	free(line);
	return 0;
}
