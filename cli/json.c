/* SPDX-License-Identifier: Apache-2.0 */
#include "json.h"

#include "text.h"

#include <string.h>

bool json_has_number(const cJSON *object, const char *name)
{
	return cJSON_IsNumber(cJSON_GetObjectItemCaseSensitive(object, name));
}

double json_number(const cJSON *object, const char *name)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);

	return cJSON_IsNumber(item) ? item->valuedouble : 0;
}

bool json_is_true(const cJSON *object, const char *name)
{
	return cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(object, name));
}

const char *json_string(const cJSON *object, const char *name)
{
	return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));
}

const char *json_string_or(const cJSON *object, const char *name, const char *otherwise)
{
	const char *string = json_string(object, name);

	return string ? string : otherwise;
}

const cJSON *json_child(const cJSON *object, const char *name)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);

	return cJSON_IsObject(item) || cJSON_IsArray(item) ? item : NULL;
}

static bool json_is_same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

/* Depth is bounded by the parser (CJSON_NESTING_LIMIT). */
bool json_is_same(const cJSON *a, const cJSON *b)
{
	const cJSON *of_a, *of_b;

	if (!a || !b)
		return a == b;
	if ((a->type & 0xff) != (b->type & 0xff) || !json_is_same_text(a->string, b->string))
		return false;
	if (cJSON_IsNumber(a))
		return a->valuedouble == b->valuedouble;
	if (cJSON_IsString(a))
		return json_is_same_text(a->valuestring, b->valuestring);
	for (of_a = a->child, of_b = b->child; of_a && of_b; of_a = of_a->next, of_b = of_b->next) {
		if (!json_is_same(of_a, of_b))
			return false;
	}
	return of_a == of_b;
}

char *json_pid_text(const cJSON *process)
{
	double pid = json_number(process, "pid");

	if (!json_has_number(process, "namespace_pid"))
		return text_format("%.0f", pid);
	return text_format("%.0f (%.0f inside)", pid, json_number(process, "namespace_pid"));
}
