/* SPDX-License-Identifier: Apache-2.0 */
/* Fields of an answer, as the renderers want them: what is missing or of another type reads as
 * none. */
#ifndef MEMWATCH_CLI_JSON_H
#define MEMWATCH_CLI_JSON_H

#include <cjson/cJSON.h>
#include <stdbool.h>

bool json_has_number(const cJSON *object, const char *name);
double json_number(const cJSON *object, const char *name); /* 0: none */
bool json_is_true(const cJSON *object, const char *name);
const char *json_string(const cJSON *object, const char *name); /* NULL: none. Borrowed */
const char *json_string_or(const cJSON *object, const char *name, const char *otherwise);
const cJSON *json_child(const cJSON *object, const char *name); /* object or array; NULL: none */

/*
 * The same type and value, and so in all that is within, in the same order. Offsets beyond 2^53
 * have been rounded when they were read. NULL is the same as NULL alone.
 */
bool json_is_same(const cJSON *a, const cJSON *b);

/* The process's pid; where it has another one in its own pid namespace, "4242 (7 inside)". To free.
 */
char *json_pid_text(const cJSON *process);

#endif
