/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A recording from whoever wrote it: what is taken can be thinned out, written, read again and
 * drawn; and the other texts that are read around it.
 */
#include "launch_files.h"
#include "plot_script.h"
#include "process_tree.h"
#include "recording.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_recording(struct recording *recording)
{
	struct recording again = {0};
	char *text;
	struct recording_error error;
	size_t bytes, sample_count;
	FILE *stream;

	recording_thin(recording);
	sample_count = recording->sample_count;
	stream = open_memstream(&text, &bytes);
	recording_write(stream, recording);
	fclose(stream);
	if (recording_parse(&again, text, bytes, &error) || again.sample_count != sample_count)
		abort();
	recording_clear(&again);
	free(text);
	stream = open_memstream(&text, &bytes);
	plot_script_write(stream, recording, PLOT_SVG);
	fclose(stream);
	/* Nothing that a name says begins a line. */
	if (strstr(text, "\nsystem") || strstr(text, "\n!"))
		abort();
	free(text);
}

static void check_texts(const char *text, size_t size)
{
	struct process_stat stat;
	const char *path;
	size_t length = launch_files_parse_line(text, &path);

	if (length && (path < text || path + length > text + strlen(text)))
		abort();
	length = launch_files_parse_script(text, size, &path);
	if (length && (path < text || path + length >= text + size))
		abort();
	if (!process_tree_parse_stat(text, &stat) && !memchr(stat.comm, '\0', sizeof(stat.comm)))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct recording recording = {0};
	struct recording_error error;
	char *text = malloc(size + 1);

	memcpy(text, data, size);
	text[size] = '\0';
	check_texts(text, size);
	if (!recording_parse(&recording, text, size, &error))
		check_recording(&recording);
	recording_clear(&recording);
	free(text);
	return 0;
}
