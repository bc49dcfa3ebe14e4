/* SPDX-License-Identifier: Apache-2.0 */
#include "recording_file.h"

#include "render.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* Fewer samples than that are never thinned out, whatever they take. */
#define SAMPLES_MIN 16

static void fail(struct recording_file *file)
{
	if (!file->is_failed)
		render_complain("cannot write %s: %m", file->path);
	file->is_failed = true;
}

static int write_all(int fd, const char *text, size_t bytes)
{
	while (bytes) {
		ssize_t written = write(fd, text, bytes);

		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return -1;
		text += written;
		bytes -= (size_t)written;
	}
	return 0;
}

/* A stream into memory; lines_write() ends it. */
static FILE *lines_open(char **text, size_t *bytes)
{
	FILE *stream = open_memstream(text, bytes);

	if (!stream)
		text_fail_out_of_memory();
	return stream;
}

/* By one write, so that a line is in the file as a whole or not at all. Frees text. */
static void lines_write(struct recording_file *file, FILE *stream, char **text, const size_t *bytes)
{
	if (fclose(stream))
		text_fail_out_of_memory();
	if (!file->is_failed && write_all(file->fd, *text, *bytes))
		fail(file);
	file->bytes += *bytes;
	free(*text);
}

/* The whole recording in a file beside it, which then takes its place. 0, or -1 with errno. */
static int replace(struct recording_file *file)
{
	char *temporary = text_format("%s.XXXXXX", file->path), *text;
	mode_t mask = umask(0);
	int fd, result = -1;
	size_t bytes;
	FILE *stream = lines_open(&text, &bytes);

	umask(mask);
	recording_write(stream, &file->recording);
	if (fclose(stream))
		text_fail_out_of_memory();
	fd = mkostemp(temporary, O_CLOEXEC | O_APPEND);
	if (fd >= 0 && !fchmod(fd, 0666 & ~mask) && !write_all(fd, text, bytes))
		result = rename(temporary, file->path);
	if (result) {
		int why = errno;

		if (fd >= 0) {
			close(fd);
			unlink(temporary);
		}
		errno = why;
	} else {
		if (file->fd >= 0)
			close(file->fd);
		file->fd = fd;
		file->bytes = bytes;
	}
	free(temporary);
	free(text);
	return result;
}

int recording_file_open(struct recording_file *file, const char *path, struct recording *recording)
{
	*file = (struct recording_file){.path = path,
					.fd = -1,
					.bytes_max = RECORDING_FILE_BYTES_MAX,
					.samples_max = RECORDING_FILE_SAMPLES_MAX,
					.recording = *recording};
	*recording = (struct recording){0};
	if (!replace(file))
		return 0;
	fail(file);
	recording_clear(&file->recording);
	return -1;
}

void recording_file_put_process(struct recording_file *file,
				const struct recording_process *process)
{
	char *text;
	size_t bytes;
	FILE *stream = lines_open(&text, &bytes);

	recording_add_process(&file->recording, process);
	recording_write_process(stream, process);
	lines_write(file, stream, &text, &bytes);
}

static bool is_full(const struct recording_file *file)
{
	return file->recording.sample_count >= file->samples_max || file->bytes >= file->bytes_max;
}

void recording_file_put_sample(struct recording_file *file)
{
	struct recording *recording = &file->recording;
	char *text;
	size_t bytes;
	FILE *stream = lines_open(&text, &bytes);

	recording_write_sample(stream, recording, &recording->samples[recording->sample_count - 1]);
	lines_write(file, stream, &text, &bytes);
	while (!file->is_failed && is_full(file) && recording->sample_count > SAMPLES_MIN) {
		recording_thin(recording);
		recording->interval_seconds *= 2;
		/* What was there stays where that fails, as on a full disk. */
		if (replace(file))
			fail(file);
	}
}

int recording_file_close(struct recording_file *file, double seconds, const char *reason)
{
	char *text;
	size_t bytes;
	FILE *stream = lines_open(&text, &bytes);

	recording_write_end(stream, seconds, reason);
	lines_write(file, stream, &text, &bytes);
	if (close(file->fd))
		fail(file);
	recording_clear(&file->recording);
	return file->is_failed ? -1 : 0;
}
