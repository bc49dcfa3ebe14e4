/* SPDX-License-Identifier: Apache-2.0 */
/* The lines of a recording. */
#include "recording.h"

#include "text.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A process's name is bytes; JSON is UTF-8: \xNN stands for what isn't. */
static void add_text(cJSON *object, const char *name, const char *text)
{
	char *safe = text_escape(text);

	cJSON_AddStringToObject(object, name, safe);
	free(safe);
}

/* To the millisecond. */
static void add_seconds(cJSON *object, double seconds)
{
	cJSON_AddNumberToObject(object, "seconds", round(seconds * 1000) / 1000);
}

static void write_line(FILE *stream, cJSON *object)
{
	char *text = cJSON_PrintUnformatted(object);

	if (!text)
		text_fail_out_of_memory();
	fprintf(stream, "%s\n", text);
	cJSON_free(text);
	cJSON_Delete(object);
}

void recording_write_start(FILE *stream, const struct recording *recording)
{
	cJSON *object = cJSON_CreateObject();

	cJSON_AddNumberToObject(object, "memwatch_recording", RECORDING_VERSION);
	cJSON_AddNumberToObject(object, "pid", recording->pid);
	add_text(object, "comm", recording->comm);
	add_text(object, "began", recording->began);
	cJSON_AddNumberToObject(object, "interval_seconds", recording->interval_seconds);
	write_line(stream, object);
}

void recording_write_process(FILE *stream, const struct recording_process *process)
{
	cJSON *object = cJSON_CreateObject();
	cJSON *fields = cJSON_AddObjectToObject(object, "process");

	cJSON_AddNumberToObject(fields, "id", process->id);
	cJSON_AddNumberToObject(fields, "pid", process->pid);
	cJSON_AddNumberToObject(fields, "parent_pid", process->parent_pid);
	add_text(fields, "comm", process->comm);
	add_seconds(fields, process->seconds);
	write_line(stream, object);
}

static void write_bytes(FILE *stream, const char *name, double bytes)
{
	if (isnan(bytes))
		fprintf(stream, ",\"%s\":null", name);
	else
		fprintf(stream, ",\"%s\":%.0f", name, bytes);
}

void recording_write_sample(FILE *stream, const struct recording *recording,
			    const struct recording_sample *sample)
{
	fprintf(stream, "{\"seconds\":%.3f,\"missed\":%ju,\"values\":[", sample->seconds,
		(uintmax_t)sample->missed);
	for (size_t i = 0; i < sample->value_count; i++) {
		const struct recording_value *value = &recording->values[sample->first_value + i];

		fprintf(stream, "%s{\"id\":%u", i ? "," : "", (unsigned int)value->id);
		write_bytes(stream, "rss_bytes", value->rss_bytes);
		if (!isnan(value->pss_bytes))
			write_bytes(stream, "pss_bytes", value->pss_bytes);
		write_bytes(stream, "outstanding_bytes", value->outstanding_bytes);
		write_bytes(stream, "allocated_bytes", value->allocated_bytes);
		fputc('}', stream);
	}
	fputs("]}\n", stream);
}

void recording_write_end(FILE *stream, double seconds, const char *reason)
{
	cJSON *object = cJSON_CreateObject();
	cJSON *fields = cJSON_AddObjectToObject(object, "end");

	add_seconds(fields, seconds);
	cJSON_AddStringToObject(fields, "reason", reason);
	write_line(stream, object);
}

void recording_write(FILE *stream, const struct recording *recording)
{
	recording_write_start(stream, recording);
	for (size_t i = 0; i < recording->process_count; i++)
		recording_write_process(stream, &recording->processes[i]);
	for (size_t i = 0; i < recording->sample_count; i++)
		recording_write_sample(stream, recording, &recording->samples[i]);
	if (recording->end_reason)
		recording_write_end(stream, recording->end_seconds, recording->end_reason);
}
