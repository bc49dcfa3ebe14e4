/* SPDX-License-Identifier: Apache-2.0 */
#include "log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static enum log_priority log_threshold = LOG_NOTICE;

void log_set_threshold(enum log_priority threshold)
{
	log_threshold = threshold;
}

static bool log_is_journald(void)
{
	return getenv("JOURNAL_STREAM") != NULL;
}

void log_write(enum log_priority priority, const char *format, ...)
{
	char line[1024];
	va_list arguments;
	int used;

	if (priority > log_threshold)
		return;
	va_start(arguments, format);
	used = vsnprintf(line, sizeof(line) - 1, format, arguments);
	va_end(arguments);
	if (used < 0)
		return;
	if ((size_t)used > sizeof(line) - 2)
		used = sizeof(line) - 2;
	/* What a target chose to be called must not forge a line or steer a terminal. */
	for (int i = 0; i < used; i++)
		if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
			line[i] = '?';
	if (log_is_journald())
		dprintf(STDERR_FILENO, "<%d>%s\n", (int)priority, line);
	else
		dprintf(STDERR_FILENO, "memwatchd: %s\n", line);
}
