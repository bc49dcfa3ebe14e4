/* SPDX-License-Identifier: Apache-2.0 */
/* A recording from its file. Every number is checked, and what is unknown is passed over. */
#include "recording.h"

#include "json.h"
#include "text.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* A longer line is none of ours: one sample of 256 processes has 40 KB. */
#define LINE_BYTES_MAX ((size_t)1 << 20)
#define NUMBER_MAX     0x1p63
#define SECONDS_MAX    1e10
/* A kernel's thread has 63 bytes, each of which may have become \xNN. The rest isn't shown. */
#define NAME_BYTES_MAX  256
#define NAME_LENGTH_MAX 64
#define PROCESSES_MAX   1000000

struct reading {
	struct recording *recording;
	struct recording_error *error;
	size_t line_number;
};

__attribute__((format(printf, 2, 3))) static int fail(const struct reading *reading,
						      const char *format, ...)
{
	char *message = reading->error->message;
	size_t room = sizeof(reading->error->message);
	int length = snprintf(message, room, "line %zu: ", reading->line_number);
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(message + length, room - (size_t)length, format, arguments);
	va_end(arguments);
	return -1;
}

/* A number within bounds that has to be there. */
static bool read_number(const cJSON *object, const char *name, double least, double most,
			double *number)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);

	if (!cJSON_IsNumber(item) || !(item->valuedouble >= least && item->valuedouble <= most))
		return false;
	*number = item->valuedouble;
	return true;
}

/* null or missing: NAN. */
static bool read_bytes(const cJSON *object, const char *name, double least, double *bytes)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);

	*bytes = NAN;
	return !item || cJSON_IsNull(item) || read_number(object, name, least, NUMBER_MAX, bytes);
}

static bool read_id(const cJSON *object, uint32_t *id)
{
	double number;

	if (!read_number(object, "id", 0, UINT32_MAX, &number) || number != floor(number))
		return false;
	*id = (uint32_t)number;
	return true;
}

static int take_start(struct reading *reading, const cJSON *line)
{
	struct recording *recording = reading->recording;
	const char *comm = json_string(line, "comm");
	double version;

	if (!read_number(line, "memwatch_recording", 1, NUMBER_MAX, &version))
		return fail(reading, "this is no recording of memwatchctl record");
	if (version != RECORDING_VERSION)
		return fail(reading, "a recording of version %.0f, and this memwatchctl knows %d",
			    version, RECORDING_VERSION);
	if (!read_number(line, "pid", 0, NUMBER_MAX, &recording->pid) ||
	    !read_number(line, "interval_seconds", 0, SECONDS_MAX, &recording->interval_seconds) ||
	    !comm || strlen(comm) > NAME_BYTES_MAX)
		return fail(reading, "pid, comm or interval_seconds is missing or cannot be");
	recording->comm = text_format("%.*s", NAME_LENGTH_MAX, comm);
	recording->began = text_format("%.64s", json_string_or(line, "began", ""));
	return 0;
}

static int take_process(struct reading *reading, const cJSON *fields)
{
	struct recording *recording = reading->recording;
	size_t count = recording->process_count;
	struct recording_process process = {0};
	char comm[NAME_LENGTH_MAX + 1];

	process.comm = (char *)json_string(fields, "comm");
	if (!read_id(fields, &process.id) ||
	    !read_number(fields, "pid", 0, NUMBER_MAX, &process.pid) ||
	    !read_number(fields, "parent_pid", 0, NUMBER_MAX, &process.parent_pid) ||
	    !read_number(fields, "seconds", 0, SECONDS_MAX, &process.seconds) || !process.comm ||
	    strlen(process.comm) > NAME_BYTES_MAX)
		return fail(reading, "a field of the process is missing or cannot be");
	if (count && process.id <= recording->processes[count - 1].id)
		return fail(reading, "the process has an id that does not rise");
	if (count == PROCESSES_MAX)
		return fail(reading, "more than %d processes", PROCESSES_MAX);
	snprintf(comm, sizeof(comm), "%.*s", NAME_LENGTH_MAX, process.comm);
	process.comm = comm;
	recording_add_process(recording, &process);
	return 0;
}

static int take_value(struct reading *reading, const cJSON *fields)
{
	struct recording_value value;

	if (!cJSON_IsObject(fields) || !read_id(fields, &value.id) ||
	    !read_bytes(fields, "rss_bytes", 0, &value.rss_bytes) ||
	    !read_bytes(fields, "pss_bytes", 0, &value.pss_bytes) ||
	    !read_bytes(fields, "outstanding_bytes", -NUMBER_MAX, &value.outstanding_bytes) ||
	    !read_bytes(fields, "allocated_bytes", 0, &value.allocated_bytes))
		return fail(reading, "a number of the sample is missing or cannot be");
	if (!recording_process(reading->recording, value.id))
		return fail(reading, "the sample has a process that was not told of, id %u",
			    (unsigned int)value.id);
	recording_add_value(reading->recording, &value);
	return 0;
}

static int take_sample(struct reading *reading, const cJSON *line)
{
	struct recording *recording = reading->recording;
	size_t count = recording->sample_count;
	double seconds, missed;
	const cJSON *fields;

	if (!read_number(line, "seconds", 0, SECONDS_MAX, &seconds) ||
	    !read_number(line, "missed", 0, 0x1p53, &missed))
		return fail(reading, "seconds or missed of the sample is missing or cannot be");
	if (count && seconds < recording->samples[count - 1].seconds)
		return fail(reading, "the sample is earlier than the one before it");
	recording_add_sample(recording, seconds, (uint64_t)missed);
	cJSON_ArrayForEach(fields, json_child(line, "values"))
	{
		if (take_value(reading, fields))
			return -1;
	}
	return 0;
}

static int take_end(struct reading *reading, const cJSON *fields)
{
	struct recording *recording = reading->recording;

	if (!read_number(fields, "seconds", 0, SECONDS_MAX, &recording->end_seconds) ||
	    !json_string(fields, "reason"))
		return fail(reading, "a field of the end is missing or cannot be");
	free(recording->end_reason);
	recording->end_reason = text_format("%.64s", json_string(fields, "reason"));
	return 0;
}

static int take_line(struct reading *reading, const cJSON *line)
{
	const cJSON *fields;

	if (reading->line_number == 1)
		return take_start(reading, line);
	fields = json_child(line, "process");
	if (fields)
		return take_process(reading, fields);
	fields = json_child(line, "end");
	if (fields)
		return take_end(reading, fields);
	return json_child(line, "values") ? take_sample(reading, line) : 0;
}

static int parse_line(struct reading *reading, const char *text, size_t bytes)
{
	cJSON *line;
	int result;

	reading->line_number++;
	line = bytes <= LINE_BYTES_MAX ? cJSON_ParseWithLength(text, bytes) : NULL;
	if (!cJSON_IsObject(line))
		result = fail(reading, reading->line_number == 1
					       ? "this is no recording of memwatchctl record"
					       : "not a line of a recording (JSON)");
	else
		result = take_line(reading, line);
	cJSON_Delete(line);
	return result;
}

int recording_parse(struct recording *recording, const char *text, size_t bytes,
		    struct recording_error *error)
{
	struct reading reading = {.recording = recording, .error = error};
	const char *end = text + bytes, *next;
	int result = 0;

	for (const char *line = text; line < end && !result; line = next + 1) {
		next = memchr(line, '\n', (size_t)(end - line));
		if (!next)
			break;
		result = parse_line(&reading, line, (size_t)(next - line));
	}
	if (!result && !reading.line_number) {
		reading.line_number = 1;
		result = fail(&reading, "this is no recording of memwatchctl record");
	}
	if (result)
		recording_clear(recording);
	return result;
}

/* To free; NULL with errno. */
static char *read_file(const char *path, size_t *bytes)
{
	FILE *file = fopen(path, "re");
	char *text = NULL;
	size_t got;

	if (!file)
		return NULL;
	*bytes = 0;
	do {
		char *grown = realloc(text, *bytes + ((size_t)1 << 20));

		if (!grown)
			text_fail_out_of_memory();
		text = grown;
		got = fread(text + *bytes, 1, (size_t)1 << 20, file);
		*bytes += got;
	} while (got && *bytes <= RECORDING_BYTES_MAX);
	if (ferror(file)) {
		int why = errno;

		free(text);
		text = NULL;
		errno = why;
	}
	fclose(file);
	return text;
}

int recording_read(struct recording *recording, const char *path, struct recording_error *error)
{
	size_t bytes;
	char *text = read_file(path, &bytes);
	int result;

	if (!text) {
		snprintf(error->message, sizeof(error->message), "%s", strerror(errno));
		return -1;
	}
	if (bytes > RECORDING_BYTES_MAX) {
		snprintf(error->message, sizeof(error->message),
			 "larger than any recording of memwatchctl record");
		result = -1;
	} else {
		result = recording_parse(recording, text, bytes, error);
	}
	free(text);
	return result;
}
