/* SPDX-License-Identifier: Apache-2.0 */
#include "procfs.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int line_number(const char *line, const char *name, uint64_t *number)
{
	size_t length = strlen(name);
	const char *text = line + length;
	unsigned long long value;
	char *end;

	if (strncmp(line, name, length) != 0 || (*text != ':' && !isspace((unsigned char)*text)))
		return -ENOENT;
	errno = 0;
	value = strtoull(text + 1, &end, 10);
	if (errno || end == text + 1)
		return -ENOENT;
	*number = value;
	return 0;
}

int procfs_read_number(const char *path, const char *name, uint64_t *number)
{
	FILE *file = fopen(path, "re");
	int result = -ENOENT;
	char line[512];

	if (!file)
		return -errno;
	while (result && fgets(line, sizeof(line), file))
		result = line_number(line, name, number);
	fclose(file);
	return result;
}
