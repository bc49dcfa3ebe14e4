/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/request.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOP_MAX            1000000
#define INTERVAL_BYTES_MAX (UINT64_C(1) << 30)
#define LEASE_SECONDS_MAX  86400.0

/* The longest right value that is no text, a number of 64 bits, has 20 digits. */
#define VALUE_BYTES_MAX 32
#define TEXT_ARGUMENTS  (REQUEST_ARGUMENT_FILE | REQUEST_ARGUMENT_FUNCTION)

/* How much of a wrong argument is shown. */
#define SHOWN_BYTES_MAX      64
#define SHOWN_NAME_BYTES_MAX 32

__attribute__((format(printf, 2, 3))) static int refuse(struct request_error *error,
							const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(error->message, sizeof(error->message), format, arguments);
	va_end(arguments);
	return -EINVAL;
}

int request_split(const char *target, size_t length, struct request_target *parts,
		  struct request_error *error)
{
	const char *question_mark;

	if (length > REQUEST_TARGET_BYTES_MAX)
		return refuse(error, "the path is longer than %d bytes", REQUEST_TARGET_BYTES_MAX);
	if (length == 0 || target[0] != '/')
		return refuse(error, "the path must begin with '/'");
	question_mark = memchr(target, '?', length);
	parts->path = target;
	parts->path_length = question_mark ? (size_t)(question_mark - target) : length;
	parts->query = question_mark ? question_mark + 1 : target + length;
	parts->query_length = (size_t)(target + length - parts->query);
	return 0;
}

/* Length of the segment that begins at text, up to the next '/'. */
static size_t segment_bytes(const char *text, size_t length)
{
	const char *slash = memchr(text, '/', length);

	return slash ? (size_t)(slash - text) : length;
}

bool request_match(const struct request_target *parts, const char *pattern, const char **segment,
		   size_t *segment_length)
{
	const char *path = parts->path, *path_end = path + parts->path_length;
	const char *pattern_end = pattern + strlen(pattern);

	while (path < path_end && pattern < pattern_end) {
		size_t length;

		if (*pattern != '{') {
			if (*path++ != *pattern++)
				return false;
			continue;
		}
		length = segment_bytes(path, (size_t)(path_end - path));
		if (length == 0)
			return false;
		*segment = path;
		*segment_length = length;
		path += length;
		pattern += segment_bytes(pattern, (size_t)(pattern_end - pattern));
	}
	return path == path_end && pattern == pattern_end;
}

bool request_parse_number(const char *text, size_t length, uint64_t min, uint64_t max,
			  uint64_t *number)
{
	uint64_t value = 0;

	if (length == 0)
		return false;
	for (size_t i = 0; i < length; i++) {
		uint64_t digit;

		if (text[i] < '0' || text[i] > '9')
			return false;
		digit = (uint64_t)(text[i] - '0');
		if (value > (UINT64_MAX - digit) / 10)
			return false;
		value = value * 10 + digit;
	}
	if (value < min || value > max)
		return false;
	*number = value;
	return true;
}

static bool parse_top(const char *value, struct request_arguments *arguments)
{
	uint64_t top;

	if (!request_parse_number(value, strlen(value), 0, TOP_MAX, &top))
		return false;
	arguments->top = (size_t)top;
	return true;
}

static bool parse_flag(const char *value, bool *flag)
{
	uint64_t number;

	if (!request_parse_number(value, strlen(value), 0, 1, &number))
		return false;
	*flag = number;
	return true;
}

static bool parse_all(const char *value, struct request_arguments *arguments)
{
	return parse_flag(value, &arguments->is_all);
}

static bool parse_force(const char *value, struct request_arguments *arguments)
{
	return parse_flag(value, &arguments->is_forced);
}

static bool parse_retry(const char *value, struct request_arguments *arguments)
{
	return parse_flag(value, &arguments->is_retried);
}

static bool parse_budget(const char *value, struct request_arguments *arguments)
{
	return request_parse_number(value, strlen(value), 1, 100, &arguments->budget_percent);
}

static bool parse_sort(const char *value, struct request_arguments *arguments)
{
	if (strcmp(value, "outstanding") == 0)
		arguments->sort = ANSWER_SORT_OUTSTANDING;
	else if (strcmp(value, "allocated") == 0)
		arguments->sort = ANSWER_SORT_ALLOCATED;
	else if (strcmp(value, "rss") == 0)
		arguments->sort = ANSWER_SORT_RSS;
	else
		return false;
	return true;
}

static bool parse_interval(const char *value, struct request_arguments *arguments)
{
	return request_parse_number(value, strlen(value), 1, INTERVAL_BYTES_MAX,
				    &arguments->interval_bytes);
}

static bool parse_lease(const char *value, struct request_arguments *arguments)
{
	char *end;
	double seconds;

	/* strtod alone would take "inf", "0x10" and leading blanks. */
	if (value[0] == '\0' || value[strspn(value, "0123456789.")] != '\0')
		return false;
	seconds = strtod(value, &end);
	if (*end != '\0' || !(seconds > 0 && seconds <= LEASE_SECONDS_MAX))
		return false;
	arguments->lease_seconds = seconds;
	return true;
}

static bool parse_lease_id(const char *value, struct request_arguments *arguments)
{
	return request_parse_number(value, strlen(value), 1, UINT64_MAX, &arguments->lease_id);
}

/* Its place in a list of names that ends in NULL; -1: none. */
static int find_name(const char *const *names, const char *name)
{
	for (int i = 0; names[i]; i++)
		if (strcmp(names[i], name) == 0)
			return i;
	return -1;
}

static bool parse_line_sort(const char *value, struct request_arguments *arguments)
{
	int found = find_name(line_sort_names, value);

	arguments->line_sort = found < 0 ? LINE_SORT_OUTSTANDING : (enum line_sort)found;
	return found >= 0;
}

static bool parse_group_by(const char *value, struct request_arguments *arguments)
{
	int found = find_name(line_group_by_names, value);

	arguments->group_by = found < 0 ? LINE_BY_LINE : (enum line_group_by)found;
	return found >= 0;
}

static bool parse_text(const char *value, char text[REQUEST_TEXT_BYTES_MAX])
{
	snprintf(text, REQUEST_TEXT_BYTES_MAX, "%s", value);
	return value[0];
}

static bool parse_file(const char *value, struct request_arguments *arguments)
{
	return parse_text(value, arguments->file);
}

static bool parse_function(const char *value, struct request_arguments *arguments)
{
	return parse_text(value, arguments->function);
}

static const struct rule {
	enum request_argument argument;
	const char *name;
	const char *right; /* what a right value is, in words */
	bool (*parse)(const char *value, struct request_arguments *arguments);
} rules[] = {
	{REQUEST_ARGUMENT_TOP, "top", "a whole number from 0 (no limit) to 1000000", parse_top},
	{REQUEST_ARGUMENT_ALL, "all", "0 or 1", parse_all},
	{REQUEST_ARGUMENT_SORT, "sort", "outstanding, allocated or rss", parse_sort},
	{REQUEST_ARGUMENT_INTERVAL, "interval", "bytes, from 1 (exact) to 1073741824",
	 parse_interval},
	{REQUEST_ARGUMENT_LEASE, "lease", "seconds, more than 0 and at most 86400", parse_lease},
	{REQUEST_ARGUMENT_LEASE_ID, "lease_id", "the number that the watch was answered with",
	 parse_lease_id},
	{REQUEST_ARGUMENT_BUDGET, "budget", "a whole number of percent from 1 to 100",
	 parse_budget},
	{REQUEST_ARGUMENT_FORCE, "force", "0 or 1", parse_force},
	{REQUEST_ARGUMENT_RETRY, "retry", "0 or 1", parse_retry},
	{REQUEST_ARGUMENT_LINE_SORT, "sort", "outstanding, cumulative, allocated, objects or peak",
	 parse_line_sort},
	{REQUEST_ARGUMENT_GROUP_BY, "group_by", "line, file, function, traceback or module",
	 parse_group_by},
	{REQUEST_ARGUMENT_FILE, "file", "a file, where * stands for any text, of at most 511 bytes",
	 parse_file},
	{REQUEST_ARGUMENT_FUNCTION, "function", "the name of a function, of at most 511 bytes",
	 parse_function},
};

#define RULE_COUNT (sizeof(rules) / sizeof(rules[0]))

static int refuse_unknown(const char *name, size_t length, unsigned int allowed,
			  struct request_error *error)
{
	char known[128] = "";
	size_t used = 0;

	for (size_t i = 0; i < RULE_COUNT; i++) {
		if (allowed & rules[i].argument)
			used += (size_t)snprintf(known + used, sizeof(known) - used, "%s%s",
						 used ? ", " : "", rules[i].name);
	}
	return refuse(error, "unknown argument '%.*s': this path takes %s",
		      (int)(length < SHOWN_NAME_BYTES_MAX ? length : SHOWN_NAME_BYTES_MAX), name,
		      used ? known : "none");
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* Undoes percent-encoding. False when it is malformed, encodes a NUL, or is too long. */
static bool decode(const char *text, size_t length, char *value, size_t value_bytes_max)
{
	size_t used = 0;

	for (size_t i = 0; i < length; i++) {
		char c = text[i];

		if (c == '%') {
			int high = i + 2 < length ? hex_digit(text[i + 1]) : -1;
			int low = i + 2 < length ? hex_digit(text[i + 2]) : -1;

			if (high < 0 || low < 0)
				return false;
			c = (char)(high << 4 | low);
			i += 2;
		}
		if (c == '\0' || used == value_bytes_max - 1)
			return false;
		value[used++] = c;
	}
	value[used] = '\0';
	return true;
}

/* One "name=value"; given: the arguments that came before it. */
static int parse_argument(const char *text, size_t length, unsigned int allowed,
			  unsigned int *given, struct request_arguments *arguments,
			  struct request_error *error)
{
	const char *equals = memchr(text, '=', length);
	size_t name_length = equals ? (size_t)(equals - text) : length;
	const struct rule *rule = NULL;
	char value[REQUEST_TEXT_BYTES_MAX];
	size_t value_bytes_max;

	for (size_t i = 0; i < RULE_COUNT && !rule; i++) {
		if ((allowed & rules[i].argument) && strlen(rules[i].name) == name_length &&
		    memcmp(rules[i].name, text, name_length) == 0)
			rule = &rules[i];
	}
	if (!rule)
		return refuse_unknown(text, name_length, allowed, error);
	if (*given & rule->argument)
		return refuse(error, "argument %s is given twice", rule->name);
	*given |= rule->argument;
	value_bytes_max = rule->argument & TEXT_ARGUMENTS ? sizeof(value) : VALUE_BYTES_MAX;
	if (!equals || !decode(equals + 1, length - name_length - 1, value, value_bytes_max) ||
	    !rule->parse(value, arguments))
		return refuse(error, "argument '%.*s': %s must be %s",
			      (int)(length < SHOWN_BYTES_MAX ? length : SHOWN_BYTES_MAX), text,
			      rule->name, rule->right);
	return 0;
}

int request_parse_arguments(const struct request_target *parts, unsigned int allowed,
			    struct request_arguments *arguments, struct request_error *error)
{
	const char *text = parts->query, *end = text + parts->query_length;
	unsigned int given = 0;

	*arguments = (struct request_arguments){0};
	while (text < end) {
		const char *ampersand = memchr(text, '&', (size_t)(end - text));
		const char *argument_end = ampersand ? ampersand : end;
		int err = parse_argument(text, (size_t)(argument_end - text), allowed, &given,
					 arguments, error);

		if (err)
			return err;
		text = ampersand ? ampersand + 1 : end;
	}
	return 0;
}
