/* SPDX-License-Identifier: Apache-2.0 */
/* Line tables of code objects, of every kind: read within their bounds, and lines are lines. */
#include "python/code_lines.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct head {
	uint32_t first_line;
	uint32_t offset_bytes;
	uint8_t kind;
};

static void find(const struct head *head, const uint8_t *data, size_t size)
{
	/* Of exactly that size, so that reading on is noticed. */
	uint8_t *table = malloc(size ? size : 1);
	struct code_lines lines = {
		.kind = (enum python_line_table)(head->kind % (PYTHON_LINES_LOCATION_TABLE + 1)),
		.first_line = head->first_line,
		.table = table,
		.bytes = size,
	};

	if (size)
		memcpy(table, data, size);
	if (code_lines_find(&lines, head->offset_bytes) > INT32_MAX ||
	    code_lines_find(&lines, head->offset_bytes % 64) > INT32_MAX)
		abort();
	free(table);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct head head;

	if (size < sizeof(head))
		return 0;
	memcpy(&head, data, sizeof(head));
	find(&head, data + sizeof(head), size - sizeof(head));
	return 0;
}
