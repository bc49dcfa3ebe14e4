/* SPDX-License-Identifier: Apache-2.0 */
/* /proc/PID/stat, whose comm the target chooses. */
#include "target/process.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	struct process_stat stat;

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	if (!process_stat_parse(text, &stat) && !memchr(stat.comm, '\0', sizeof(stat.comm)))
		abort();
	free(text);
	return 0;
}
