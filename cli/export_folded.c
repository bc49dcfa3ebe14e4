/* SPDX-License-Identifier: Apache-2.0 */
#include "export.h"

#include "json.h"
#include "text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct folded {
	char *stack;
	double value;
};

/* A name that can't end its frame or its line. */
static void write_name(FILE *out, const char *name)
{
	char *safe = text_escape(name);

	for (char *at = safe; *at; at++)
		fputc(*at == ';' ? ':' : *at, out);
	free(safe);
}

static void write_frames(FILE *out, const cJSON *stack)
{
	const cJSON *first = stack ? stack->child : NULL;
	const cJSON *frame = first ? first->prev : NULL;

	while (frame) {
		char *name = stack_frame_name(frame);

		fputc(';', out);
		write_name(out, name);
		free(name);
		frame = frame == first ? NULL : frame->prev;
	}
}

static char *fold(const char *comm, const cJSON *site)
{
	char *beginning = stack_beginning_name(site);
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		text_fail_out_of_memory();
	write_name(out, comm);
	if (beginning) {
		fputc(';', out);
		write_name(out, beginning);
	}
	write_frames(out, json_child(site, "stack"));
	if (fclose(out))
		text_fail_out_of_memory();
	free(beginning);
	return text;
}

static int compare_folded(const void *a, const void *b)
{
	const struct folded *left = a, *right = b;

	return strcmp(left->stack, right->stack);
}

void export_folded(FILE *out, const cJSON *answer, enum stack_value value)
{
	const cJSON *sites = json_child(answer, "sites"), *site;
	const char *comm = json_string_or(answer, "comm", "?");
	struct folded *lines = calloc((size_t)cJSON_GetArraySize(sites) + 1, sizeof(*lines));
	size_t count = 0;

	if (!lines)
		text_fail_out_of_memory();
	cJSON_ArrayForEach(site, sites)
	{
		lines[count].stack = fold(comm, site);
		lines[count++].value = stack_value_of(site, value);
	}
	if (count)
		qsort(lines, count, sizeof(*lines), compare_folded);
	for (size_t i = 0; i < count; i++) {
		bool is_last = i + 1 == count || compare_folded(&lines[i], &lines[i + 1]) != 0;

		if (!is_last)
			lines[i + 1].value += lines[i].value;
		else if (lines[i].value >= 0.5)
			fprintf(out, "%s %.0f\n", lines[i].stack, lines[i].value);
		free(lines[i].stack);
	}
	free(lines);
}
