/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char *const json_escapes[TEXT_ESCAPES_LENGTH] = {
	[0x00] = "\\u0000", [0x01] = "\\u0001", [0x02] = "\\u0002", [0x03] = "\\u0003",
	[0x04] = "\\u0004", [0x05] = "\\u0005", [0x06] = "\\u0006", [0x07] = "\\u0007",
	[0x08] = "\\b",     [0x09] = "\\t",     [0x0a] = "\\n",     [0x0b] = "\\u000b",
	[0x0c] = "\\f",     [0x0d] = "\\r",     [0x0e] = "\\u000e", [0x0f] = "\\u000f",
	[0x10] = "\\u0010", [0x11] = "\\u0011", [0x12] = "\\u0012", [0x13] = "\\u0013",
	[0x14] = "\\u0014", [0x15] = "\\u0015", [0x16] = "\\u0016", [0x17] = "\\u0017",
	[0x18] = "\\u0018", [0x19] = "\\u0019", [0x1a] = "\\u001a", [0x1b] = "\\u001b",
	[0x1c] = "\\u001c", [0x1d] = "\\u001d", [0x1e] = "\\u001e", [0x1f] = "\\u001f",
	['"'] = "\\\"",     ['\\'] = "\\\\",    [0x7f] = "\\u007f",
};

/* The comma, if one is due, and the key. */
static void begin_value(struct json *json, const char *key)
{
	if (json->needs_comma)
		text_append(json->text, ",", 1);
	if (key) {
		text_append(json->text, "\"", 1);
		text_append_string(json->text, key);
		text_append(json->text, "\":", 2);
	}
	json->needs_comma = true;
}

static void open_group(struct json *json, const char *key, const char *bracket)
{
	begin_value(json, key);
	text_append(json->text, bracket, 1);
	json->needs_comma = false;
}

static void close_group(struct json *json, const char *bracket)
{
	text_append(json->text, bracket, 1);
	json->needs_comma = true;
}

void json_open_object(struct json *json, const char *key)
{
	open_group(json, key, "{");
}

void json_close_object(struct json *json)
{
	close_group(json, "}");
}

void json_open_array(struct json *json, const char *key)
{
	open_group(json, key, "[");
}

void json_close_array(struct json *json)
{
	close_group(json, "]");
}

void json_string(struct json *json, const char *key, const char *value)
{
	json_string_n(json, key, value, SIZE_MAX);
}

void json_string_n(struct json *json, const char *key, const char *value, size_t max_length)
{
	if (!value) {
		json_null(json, key);
		return;
	}
	begin_value(json, key);
	text_append(json->text, "\"", 1);
	text_append_escaped(json->text, value, strnlen(value, max_length), json_escapes);
	text_append(json->text, "\"", 1);
}

/* By hand: an answer may hold hundreds of thousands of them, and printf takes most of its time. */
static void append_decimal(struct text *text, bool is_negative, uint64_t magnitude)
{
	char digits[sizeof("-18446744073709551615")];
	size_t start = sizeof(digits);

	do {
		digits[--start] = (char)('0' + magnitude % 10);
		magnitude /= 10;
	} while (magnitude > 0);
	if (is_negative)
		digits[--start] = '-';
	text_append(text, digits + start, sizeof(digits) - start);
}

void json_uint64(struct json *json, const char *key, uint64_t value)
{
	begin_value(json, key);
	append_decimal(json->text, false, value);
}

void json_int64(struct json *json, const char *key, int64_t value)
{
	begin_value(json, key);
	append_decimal(json->text, value < 0, value < 0 ? -(uint64_t)value : (uint64_t)value);
}

/* Whole numbers up to here are exact in a double. */
#define DOUBLE_WHOLE_MAX 9007199254740992.0

void json_double(struct json *json, const char *key, double value)
{
	char digits[32];

	if (!isfinite(value)) {
		json_null(json, key);
		return;
	}
	if (fabs(value) <= DOUBLE_WHOLE_MAX && value == trunc(value)) {
		json_int64(json, key, (int64_t)value);
		return;
	}
	/* 17 digits always read back the same; most numbers need no more than 15. */
	snprintf(digits, sizeof(digits), "%.15g", value);
	if (strtod(digits, NULL) != value)
		snprintf(digits, sizeof(digits), "%.17g", value);
	begin_value(json, key);
	text_append_string(json->text, digits);
}

void json_bool(struct json *json, const char *key, bool value)
{
	begin_value(json, key);
	text_append_string(json->text, value ? "true" : "false");
}

void json_null(struct json *json, const char *key)
{
	begin_value(json, key);
	text_append_string(json->text, "null");
}

/* RFC 3339 has four digits for the year. */
#define UNIX_SECONDS_YEAR_10000 253402300800.0

void json_time(struct json *json, const char *key, double unix_seconds)
{
	char text[sizeof("9999-12-31T23:59:59Z")];
	struct tm utc;
	time_t seconds;

	if (!(unix_seconds >= 0 && unix_seconds < UNIX_SECONDS_YEAR_10000)) {
		json_null(json, key);
		return;
	}
	seconds = (time_t)unix_seconds;
	gmtime_r(&seconds, &utc);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &utc);
	json_string(json, key, text);
}
