/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One table says what every key is called, what it may be and its default; parsing, defaults and
 * messages come from it.
 */
#include "config_value.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#define KIB (UINT64_C(1) << 10)
#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

/* A line holds a key and at most a path; a file some twenty lines. More is the wrong file. */
#define LINE_BYTES_MAX (PATH_MAX + 1024)
#define FILE_BYTES_MAX (1 * MIB)
/* Of a value, as much as helps to recognise it is repeated in a message. */
#define QUOTE_BYTES_MAX 80

/* ---- the keys */

#define FIELD(name) offsetof(struct config, name), sizeof(((struct config *)0)->name)

static const struct config_key keys[] = {
	{"socket", &config_path_type, "/run/memwatch/memwatchd.sock", FIELD(socket_path), 0, 0},
	{"socket_group", &config_group_type, "memwatch", FIELD(socket_group), 0, 0},
	{"listen", &config_listen_type, "127.0.0.1:9735", FIELD(listen), 1, 65535}, /* the port */
	{"state_dir", &config_path_type, "/var/lib/memwatch", FIELD(state_dir), 0, 0},
	{"log_level", &config_level_type, "info", FIELD(log_level), 0, 0},
	/* Past 1 GiB hardly a program would leave a sample. */
	{"sampling_interval", &config_size_type, "64KiB", FIELD(sampling_interval_bytes), 1, GIB},
	{"attach_backend", &config_backend_type, "auto", FIELD(attach_backend), 0, 0},
	/* Shares of a thread's time: all of it is no limit. */
	{"budget_by_hand_percent", &config_count_type, "30", FIELD(budget_by_hand_percent), 1, 100},
	{"budget_by_policy_percent", &config_count_type, "3", FIELD(budget_by_policy_percent), 1,
	 100},
	{"retry_seconds", &config_count_type, "10", FIELD(retry_seconds), 1, 3600},
	/* 64,000,000 blocks take some 8 GiB of kernel memory; 64 don't hold a program's start. */
	{"blocks_max", &config_count_type, "1048576", FIELD(blocks_max), 64, 64000000},
	/* A site is hundreds of bytes, for its counters of every generation. */
	{"sites_max", &config_count_type, "32768", FIELD(sites_max), 64, 1048576},
	/* RECORD_TARGETS_MAX: a target's slot travels in the attach cookie. */
	{"targets_max", &config_count_type, "64", FIELD(targets_max), 1, 1024},
	/* The kernel wants whole pages and a power of two; 64 KiB is the largest page size. */
	{"ring_buffer", &config_power_type, "4MiB", FIELD(ring_buffer_bytes), 64 * KIB, 256 * MIB},
	{"symbol_cache", &config_size_type, "16MiB", FIELD(symbol_cache_bytes), MIB, 4 * GIB},
	{"unwind_tables", &config_size_type, "64MiB", FIELD(unwind_tables_bytes), MIB, 256 * MIB},
	{"python_codes", &config_size_type, "64MiB", FIELD(python_codes_bytes), MIB, 4 * GIB},
	{"debuginfod_urls", &config_urls_type, "", FIELD(debuginfod_urls), 0, 0},
	/* A file may have half of it: those of most libraries have megabytes. */
	{"debuginfod_cache", &config_size_type, "1GiB", FIELD(debuginfod_cache_bytes), MIB,
	 1024 * GIB},
	{"debuginfod_seconds", &config_count_type, "90", FIELD(debuginfod_seconds), 1, 3600},
	/* Each account and each postmortem may be megabytes: bounded, so that a typo is no OOM. */
	{"ended_targets_max", &config_count_type, "16", FIELD(ended_targets_max), 0, 1024},
	{"ooms_max", &config_count_type, "64", FIELD(ooms_max), 1, 4096},
	/* Each process is some ten series in Prometheus. */
	{"metrics_processes_max", &config_count_type, "20", FIELD(metrics_processes_max), 0, 1000},
};
#define KEY_COUNT (sizeof(keys) / sizeof(keys[0]))

/* ---- messages */

/* Where a setting stands; name is NULL on the command line. */
struct position {
	const char *name;
	unsigned int line;
};

__attribute__((format(printf, 3, 4))) static void
error_set(struct config_error *error, const struct position *position, const char *format, ...)
{
	int length = 0;
	va_list arguments;

	error->message[0] = '\0';
	if (position->name != NULL && position->line != 0)
		length = snprintf(error->message, sizeof(error->message), "%.*s:%u: ", 256,
				  position->name, position->line);
	else if (position->name != NULL)
		length = snprintf(error->message, sizeof(error->message), "%.*s: ", 256,
				  position->name);
	va_start(arguments, format);
	vsnprintf(error->message + length, sizeof(error->message) - (size_t)length, format,
		  arguments);
	va_end(arguments);
}

/* Messages go to terminals and journals: bytes that are no printable ASCII are shown as \xNN. */
struct quote {
	char text[4 * QUOTE_BYTES_MAX + 4];
};

static struct quote quote_text(const char *text)
{
	struct quote quote;
	size_t length = 0;
	size_t i;

	for (i = 0; i < QUOTE_BYTES_MAX && text[i] != '\0'; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c >= 0x20 && c < 0x7f)
			quote.text[length++] = (char)c;
		else
			length += (size_t)sprintf(quote.text + length, "\\x%02x", c);
	}
	strcpy(quote.text + length, text[i] != '\0' ? "..." : "");
	return quote;
}

/* Restricted Damerau-Levenshtein distance: insert, delete, replace, swap neighbours. */
static size_t edit_distance(const char *a, const char *b)
{
	enum { LENGTH_MAX = 48 };
	size_t rows[3][LENGTH_MAX + 1];
	size_t *before = rows[0], *previous = rows[1], *current = rows[2];
	size_t a_length = strlen(a), b_length = strlen(b);

	if (a_length > LENGTH_MAX || b_length > LENGTH_MAX)
		return SIZE_MAX;
	for (size_t j = 0; j <= b_length; j++)
		previous[j] = j;
	for (size_t i = 1; i <= a_length; i++) {
		size_t *oldest = before;

		current[0] = i;
		for (size_t j = 1; j <= b_length; j++) {
			size_t best = previous[j - 1] + (a[i - 1] != b[j - 1]);

			best = best < previous[j] + 1 ? best : previous[j] + 1;
			best = best < current[j - 1] + 1 ? best : current[j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    before[j - 2] + 1 < best)
				best = before[j - 2] + 1;
			current[j] = best;
		}
		before = previous;
		previous = current;
		current = oldest;
	}
	return previous[b_length];
}

static void error_set_unknown_key(struct config_error *error, const struct position *position,
				  const char *name)
{
	size_t nearest = 0;
	size_t nearest_distance = SIZE_MAX;
	char known[400] = "";

	for (size_t i = 0; i < KEY_COUNT; i++) {
		size_t distance = edit_distance(name, keys[i].name);
		size_t length = strlen(known);

		if (distance < nearest_distance) {
			nearest = i;
			nearest_distance = distance;
		}
		snprintf(known + length, sizeof(known) - length, "%s%s", i == 0 ? "" : ", ",
			 keys[i].name);
	}
	/* More than a third wrong is no slip of the finger. */
	if (nearest_distance <= 1 + strlen(keys[nearest].name) / 3)
		error_set(error, position, "unknown key \"%s\" (did you mean %s?)",
			  quote_text(name).text, keys[nearest].name);
	else
		error_set(error, position, "unknown key \"%.100s\" (the keys are %s)",
			  quote_text(name).text, known);
}

/* ---- setting and parsing */

static const struct config_key *key_find(const char *name)
{
	for (size_t i = 0; i < KEY_COUNT; i++)
		if (strcmp(keys[i].name, name) == 0)
			return &keys[i];
	return NULL;
}

static int key_set(const struct config_key *key, struct config *config, const char *value,
		   const struct position *position, struct config_error *error)
{
	int err = key->type->parse(key, value, (char *)config + key->offset);
	char range[96];

	if (err == -ERANGE && key->type->describe_range != NULL) {
		key->type->describe_range(key, range, sizeof(range));
		error_set(error, position, "%s: \"%s\" is out of range (%s)", key->name,
			  quote_text(value).text, range);
	} else if (err != 0) {
		error_set(error, position, "%s: \"%s\" is no %s (%s)", key->name,
			  quote_text(value).text, key->type->noun, key->type->example);
	}
	return err;
}

void config_set_defaults(struct config *config)
{
	struct config_error error;
	const struct position position = {"default", 0};

	memset(config, 0, sizeof(*config));
	for (size_t i = 0; i < KEY_COUNT; i++)
		if (key_set(&keys[i], config, keys[i].default_text, &position, &error) != 0)
			abort(); /* the table contradicts itself */
}

int config_set(struct config *config, const char *name, const char *value,
	       struct config_error *error)
{
	const struct position position = {NULL, 0};
	const struct config_key *key = key_find(name);

	if (key == NULL) {
		error_set_unknown_key(error, &position, name);
		return -EINVAL;
	}
	return key_set(key, config, value, &position, error);
}

static char *trim(char *text)
{
	size_t length;

	text += strspn(text, " \t");
	length = strlen(text);
	while (length > 0 && (text[length - 1] == ' ' || text[length - 1] == '\t'))
		text[--length] = '\0';
	return text;
}

/* A '#' begins a comment at the start of a word, so that a path may hold one. */
static void strip_comment(char *line)
{
	for (char *c = line; *c != '\0'; c++) {
		if (*c == '#' && (c == line || c[-1] == ' ' || c[-1] == '\t')) {
			*c = '\0';
			return;
		}
	}
}

/* first_lines: per key, the line that set it, 0 for none. */
static int line_parse(struct config *config, char *line, const struct position *position,
		      unsigned int first_lines[KEY_COUNT], struct config_error *error)
{
	const struct config_key *key;
	char *equals;
	char *name;

	strip_comment(line);
	line = trim(line);
	if (line[0] == '\0')
		return 0;
	equals = strchr(line, '=');
	if (equals == NULL || equals == line) {
		error_set(error, position, "\"%s\" is no setting (write key = value)",
			  quote_text(line).text);
		return -EINVAL;
	}
	*equals = '\0';
	name = trim(line);
	key = key_find(name);
	if (key == NULL) {
		error_set_unknown_key(error, position, name);
		return -EINVAL;
	}
	if (first_lines[key - keys] != 0) {
		error_set(error, position, "%s: is already set in line %u (keep one of them)",
			  key->name, first_lines[key - keys]);
		return -EINVAL;
	}
	first_lines[key - keys] = position->line;
	return key_set(key, config, trim(equals + 1), position, error);
}

/* Copies one line as a string. Binary files end here. */
static int line_copy(char line[LINE_BYTES_MAX + 1], const char *text, size_t length,
		     const struct position *position, struct config_error *error)
{
	if (length > 0 && text[length - 1] == '\r')
		length--;
	if (length > LINE_BYTES_MAX) {
		error_set(error, position, "the line is longer than %d bytes", LINE_BYTES_MAX);
		return -EINVAL;
	}
	for (size_t i = 0; i < length; i++) {
		unsigned char c = (unsigned char)text[i];

		if ((c < 0x20 && c != '\t') || c == 0x7f) {
			error_set(error, position,
				  "byte 0x%02x is no text (a configuration is a text file)", c);
			return -EINVAL;
		}
	}
	memcpy(line, text, length);
	line[length] = '\0';
	return 0;
}

int config_parse(struct config *config, const char *name, const char *text, size_t length,
		 struct config_error *error)
{
	struct config parsed = *config;
	struct position position = {name, 0};
	unsigned int first_lines[KEY_COUNT] = {0};
	char line[LINE_BYTES_MAX + 1];
	int err;

	for (size_t start = 0; start < length;) {
		const char *newline = memchr(text + start, '\n', length - start);
		size_t end = newline != NULL ? (size_t)(newline - text) : length;

		position.line++;
		err = line_copy(line, text + start, end - start, &position, error);
		if (err == 0)
			err = line_parse(&parsed, line, &position, first_lines, error);
		if (err != 0)
			return err;
		start = end + 1;
	}
	*config = parsed;
	return 0;
}

/* Reads at most size bytes; the number read or -errno. */
static ssize_t read_all(int fd, char *buffer, size_t size)
{
	size_t length = 0;

	while (length < size) {
		ssize_t got = read(fd, buffer + length, size - length);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		length += (size_t)got;
	}
	return (ssize_t)length;
}

/* Reads the whole file, but at most size bytes; the number read or -errno. */
static ssize_t read_file(const char *path, char *buffer, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t length;

	if (fd < 0)
		return -errno;
	length = read_all(fd, buffer, size);
	close(fd);
	return length;
}

int config_read_file(struct config *config, const char *path, struct config_error *error)
{
	const struct position position = {path, 0};
	char *text = calloc(1, FILE_BYTES_MAX + 1);
	ssize_t length = text != NULL ? read_file(path, text, FILE_BYTES_MAX + 1) : -ENOMEM;
	int result;

	if (length > (ssize_t)FILE_BYTES_MAX) {
		result = -EFBIG;
		error_set(error, &position, "is larger than 1MiB (is this the configuration?)");
	} else if (text == NULL || length < 0) {
		result = (int)length;
		error_set(error, &position, "cannot read the configuration: %s", strerror(-result));
	} else {
		result = config_parse(config, path, text, (size_t)length, error);
	}
	free(text);
	return result;
}
