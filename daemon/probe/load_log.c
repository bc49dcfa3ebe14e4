/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/load_log.h"

#include "log.h"

#include <bpf/libbpf.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The way to the refused instruction can be many thousand lines; the last ones say why. */
#define LINES_MAX 120

/* Where the last LINES_MAX lines of the text begin. */
static const char *last_lines(const char *text, size_t length)
{
	const char *start = text + length;
	size_t lines = 0;

	if (start > text && start[-1] == '\n')
		start--;
	for (; start > text; start--)
		if (start[-1] == '\n' && ++lines == LINES_MAX)
			break;
	return start;
}

static void log_lines(const char *text)
{
	while (*text) {
		size_t length = strcspn(text, "\n");

		log_write(LOG_DETAIL, "%.*s", (int)length, text);
		text += length;
		text += *text == '\n';
	}
}

/* The first line names the program; the verifier's words, if any, follow it. */
static int log_libbpf(enum libbpf_print_level level, const char *format, va_list arguments)
{
	const char *rest;
	char *text;
	int length;

	if (level == LIBBPF_DEBUG)
		return 0;
	length = vasprintf(&text, format, arguments);
	if (length < 0)
		return 0;
	rest = last_lines(text, (size_t)length);
	if (rest > text) {
		log_write(LOG_DETAIL, "%.*s", (int)strcspn(text, "\n"), text);
		log_write(LOG_DETAIL, "(the last %d lines)", LINES_MAX);
	}
	log_lines(rest);
	free(text);
	return 0;
}

void load_log_start(void)
{
	libbpf_set_print(log_libbpf);
}
