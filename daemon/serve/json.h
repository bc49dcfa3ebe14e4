/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes JSON straight into the body. Not a tree: an answer of 10,000 sites would be millions of
 * nodes, several times the size of its text. Numbers keep all their digits (a tree of doubles loses
 * them beyond 2^53), and strings may hold any bytes.
 *
 * A key is a name of ours that needs no escaping; NULL inside an array and for the outermost value.
 */
#ifndef MEMWATCH_SERVE_JSON_H
#define MEMWATCH_SERVE_JSON_H

#include "serve/text.h"

#include <stdbool.h>
#include <stdint.h>

struct json {
	struct text *text; /* borrowed */
	bool needs_comma;
};

void json_open_object(struct json *json, const char *key);
void json_close_object(struct json *json);
void json_open_array(struct json *json, const char *key);
void json_close_array(struct json *json);

/* NULL becomes null. */
void json_string(struct json *json, const char *key, const char *value);
/* At most max_length bytes, fewer when terminated: a comm. */
void json_string_n(struct json *json, const char *key, const char *value, size_t max_length);
void json_uint64(struct json *json, const char *key, uint64_t value);
void json_int64(struct json *json, const char *key, int64_t value);
/* In digits that read back the same; what is not finite becomes null, JSON has no word for it. */
void json_double(struct json *json, const char *key, double value);
void json_bool(struct json *json, const char *key, bool value);
void json_null(struct json *json, const char *key);
/* Unix time as RFC 3339 in UTC, whole seconds. */
void json_time(struct json *json, const char *key, double unix_seconds);

#endif
