/* SPDX-License-Identifier: Apache-2.0 */
#include "procfs.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
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

int procfs_parse_namespace_pid(const char *line, pid_t *namespace_pid)
{
	static const char name[] = "NSpid:";
	const char *text = line + sizeof(name) - 1;
	long last = 0;
	char *end;

	if (strncmp(line, name, sizeof(name) - 1) != 0)
		return -EINVAL;
	/* One for each namespace, from the outermost that we see inwards. */
	for (;; text = end) {
		long value = strtol(text, &end, 10);

		if (end == text)
			break;
		if (value <= 0 || value > INT_MAX)
			return -EINVAL;
		last = value;
	}
	if (!last || text[strspn(text, " \t\n")])
		return -EINVAL;
	*namespace_pid = (pid_t)last;
	return 0;
}

int procfs_read_namespace_pid(pid_t pid, pid_t *namespace_pid)
{
	int result = -ENOENT;
	char path[64], line[512];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	file = fopen(path, "re");
	if (!file)
		return -errno;
	while (result && fgets(line, sizeof(line), file))
		if (!procfs_parse_namespace_pid(line, namespace_pid))
			result = 0;
	fclose(file);
	return result;
}
