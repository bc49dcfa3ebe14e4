/* SPDX-License-Identifier: Apache-2.0 */
#include "snapshot_file.h"

#include "json.h"
#include "render.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#define SNAPSHOT_FORMAT         "memwatch-snapshot"
#define SNAPSHOT_FILE_BYTES_MAX ((size_t)256 << 20)
#define SNAPSHOT_CHUNK_BYTES    ((size_t)65536)

#define GZIP_WINDOW_BITS (15 + 16) /* zlib's way to say gzip */

/* ---- Writing ---- */

/* Compresses a piece; the last one ends the file. */
static int write_piece(FILE *out, z_stream *stream, const char *text, size_t length, int flush)
{
	unsigned char chunk[SNAPSHOT_CHUNK_BYTES] = {0};

	do {
		/* zlib counts in 32 bits. */
		size_t part = length < UINT32_MAX ? length : UINT32_MAX;

		stream->next_in = (Bytef *)text;
		stream->avail_in = (uInt)part;
		text += part;
		length -= part;
		do {
			size_t made;

			stream->next_out = chunk;
			stream->avail_out = sizeof(chunk);
			if (deflate(stream, length ? Z_NO_FLUSH : flush) == Z_STREAM_ERROR)
				return -EINVAL;
			made = sizeof(chunk) - stream->avail_out;
			if (fwrite(chunk, 1, made, out) != made)
				return -EIO;
		} while (stream->avail_out == 0);
	} while (length);
	return 0;
}

int snapshot_write(FILE *out, const char *account, time_t taken)
{
	char time_text[sizeof("9999-12-31T23:59:59Z")] = "";
	z_stream stream = {0};
	struct tm utc;
	char *head;
	int rc;

	if (gmtime_r(&taken, &utc))
		strftime(time_text, sizeof(time_text), "%Y-%m-%dT%H:%M:%SZ", &utc);
	if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP_WINDOW_BITS, 8,
			 Z_DEFAULT_STRATEGY) != Z_OK)
		return -ENOMEM;
	head = text_format("{\"format\":\"" SNAPSHOT_FORMAT "\",\"version\":%d,"
			   "\"written_by\":\"memwatchctl " MEMWATCH_VERSION "\","
			   "\"taken\":\"%s\",\"account\":",
			   SNAPSHOT_VERSION, time_text);
	rc = write_piece(out, &stream, head, strlen(head), Z_NO_FLUSH);
	if (rc == 0)
		rc = write_piece(out, &stream, account, strlen(account), Z_NO_FLUSH);
	if (rc == 0)
		rc = write_piece(out, &stream, "}\n", 2, Z_FINISH);
	deflateEnd(&stream);
	free(head);
	return rc;
}

/* ---- Reading ---- */

__attribute__((format(printf, 2, 3))) static int refuse(struct snapshot_error *error,
							const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(error->message, sizeof(error->message), format, arguments);
	va_end(arguments);
	return -EINVAL;
}

struct text_buffer {
	char *text;
	size_t length, capacity;
};

static void make_room(struct text_buffer *buffer)
{
	if (buffer->capacity - buffer->length > SNAPSHOT_CHUNK_BYTES)
		return;
	buffer->capacity = 2 * buffer->capacity + 2 * SNAPSHOT_CHUNK_BYTES;
	buffer->text = realloc(buffer->text, buffer->capacity);
	if (!buffer->text)
		text_fail_out_of_memory();
}

/* What inflate() came to, once it is no longer Z_OK. */
static int explain_end(int result, const z_stream *stream, struct snapshot_error *error)
{
	if (result == Z_MEM_ERROR)
		text_fail_out_of_memory();
	if (result == Z_STREAM_END && stream->avail_in == 0)
		return 0;
	if (result == Z_STREAM_END)
		return refuse(error, "is damaged: something follows its end");
	if (result == Z_BUF_ERROR)
		return refuse(error, "is cut short: it is not all of a snapshot");
	return refuse(error, "is damaged: %s", stream->msg ? stream->msg : "it cannot be unpacked");
}

static int inflate_all(z_stream *stream, size_t text_bytes_max, struct text_buffer *buffer,
		       struct snapshot_error *error)
{
	int result = Z_OK;

	while (result == Z_OK) {
		size_t room = SNAPSHOT_CHUNK_BYTES;

		make_room(buffer);
		stream->next_out = (Bytef *)buffer->text + buffer->length;
		stream->avail_out = (uInt)room;
		result = inflate(stream, Z_NO_FLUSH);
		buffer->length += room - stream->avail_out;
		if (buffer->length > text_bytes_max)
			return refuse(error, "is too large: more than %zu bytes when unpacked",
				      text_bytes_max);
	}
	return explain_end(result, stream, error);
}

/* The text, with a NUL behind it, to free; NULL with the error. */
static char *unpack(const void *bytes, size_t length, size_t text_bytes_max, size_t *text_length,
		    struct snapshot_error *error)
{
	static const unsigned char magic[] = {0x1f, 0x8b};
	z_stream stream = {.next_in = (Bytef *)bytes, .avail_in = (uInt)length};
	struct text_buffer buffer = {0};
	int rc;

	if (length > SNAPSHOT_FILE_BYTES_MAX) {
		refuse(error, "is too large: more than %zu bytes", SNAPSHOT_FILE_BYTES_MAX);
		return NULL;
	}
	if (length == 0 ||
	    memcmp(bytes, magic, length < sizeof(magic) ? length : sizeof(magic)) != 0) {
		refuse(error, "is no snapshot of memwatch%s", length ? "" : ": it is empty");
		return NULL;
	}
	if (inflateInit2(&stream, GZIP_WINDOW_BITS) != Z_OK)
		text_fail_out_of_memory();
	rc = inflate_all(&stream, text_bytes_max, &buffer, error);
	inflateEnd(&stream);
	if (rc != 0) {
		free(buffer.text);
		return NULL;
	}
	buffer.text[buffer.length] = '\0';
	*text_length = buffer.length;
	return buffer.text;
}

/* What the grouping and the reports rely on. */
static int check_site(const cJSON *site)
{
	const cJSON *stack = json_child(site, "stack");
	const cJSON *frame;

	if (!json_has_number(site, "outstanding_bytes") || !cJSON_IsArray(stack))
		return -1;
	cJSON_ArrayForEach(frame, stack)
	{
		const char *kind = json_string(frame, "kind");

		if (!kind || (strcmp(kind, "python") != 0 && strcmp(kind, "native") != 0))
			return -1;
	}
	return 0;
}

static int check_account(const cJSON *account, struct snapshot_error *error)
{
	const cJSON *sites = json_child(account, "sites");
	const cJSON *site;

	if (!json_has_number(account, "pid") || !cJSON_IsArray(sites))
		return refuse(error, "is damaged: it has no account of a process");
	cJSON_ArrayForEach(site, sites)
	{
		if (check_site(site) != 0)
			return refuse(error, "is damaged: one of its sites is none");
	}
	return 0;
}

static int check(const cJSON *json, struct snapshot_error *error)
{
	double version = json_number(json, "version");

	if (strcmp(json_string_or(json, "format", ""), SNAPSHOT_FORMAT) != 0)
		return refuse(error, "is no snapshot of memwatch");
	if (version > SNAPSHOT_VERSION)
		return refuse(
			error,
			"is a snapshot of version %.0f, made by %.60s: this memwatchctl reads "
			"version %d (use a newer one)",
			version, json_string_or(json, "written_by", "a newer memwatch"),
			SNAPSHOT_VERSION);
	if (version != SNAPSHOT_VERSION)
		return refuse(error, "is damaged: it says no version");
	return check_account(json_child(json, "account"), error);
}

int snapshot_parse(const void *bytes, size_t length, size_t text_bytes_max,
		   struct snapshot *snapshot, struct snapshot_error *error)
{
	size_t text_length = 0;
	char *text = unpack(bytes, length, text_bytes_max, &text_length, error);
	cJSON *json;
	int rc;

	if (!text)
		return -EINVAL;
	/* A NUL within would hide what follows it. */
	json = strlen(text) == text_length ? cJSON_ParseWithOpts(text, NULL, 1) : NULL;
	free(text);
	rc = json ? check(json, error) : refuse(error, "is no snapshot of memwatch: not JSON");
	if (rc != 0) {
		cJSON_Delete(json);
		return rc;
	}
	*snapshot = (struct snapshot){.json = json, .account = json_child(json, "account")};
	return 0;
}

void snapshot_release(struct snapshot *snapshot)
{
	cJSON_Delete(snapshot->json);
	*snapshot = (struct snapshot){0};
}

/* The whole file, to free; NULL with the error. One byte more than is allowed says that it is. */
static char *read_file(const char *path, size_t *length, struct snapshot_error *error)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct text_buffer buffer = {0};
	struct stat status;
	ssize_t got = -1;

	if (fd < 0 || fstat(fd, &status) != 0) {
		refuse(error, "cannot be read: %s", strerror(errno));
		goto out;
	}
	if (!S_ISREG(status.st_mode)) {
		refuse(error, "is no snapshot of memwatch: it is not a regular file");
		goto out;
	}
	while (buffer.length <= SNAPSHOT_FILE_BYTES_MAX) {
		make_room(&buffer);
		got = read(fd, buffer.text + buffer.length, SNAPSHOT_CHUNK_BYTES);
		if (got <= 0)
			break;
		buffer.length += (size_t)got;
	}
	if (got < 0)
		refuse(error, "cannot be read: %s", strerror(errno));
out:
	if (fd >= 0)
		close(fd);
	if (got >= 0) {
		*length = buffer.length;
		return buffer.text;
	}
	free(buffer.text);
	return NULL;
}

int snapshot_read(const char *path, struct snapshot *snapshot)
{
	struct snapshot_error error;
	size_t length = 0;
	char *bytes = read_file(path, &length, &error);
	int rc = -1;

	if (bytes && snapshot_parse(bytes, length, SNAPSHOT_TEXT_BYTES_MAX, snapshot, &error) == 0)
		rc = 0;
	else
		render_complain("%s %s", path, error.message);
	free(bytes);
	return rc;
}
