/* SPDX-License-Identifier: Apache-2.0 */
#include "json.h"

#include "text.h"

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

char *json_pid_text(const cJSON *process)
{
	double pid = json_number(process, "pid");

	if (!json_has_number(process, "namespace_pid"))
		return text_format("%.0f", pid);
	return text_format("%.0f (%.0f inside)", pid, json_number(process, "namespace_pid"));
}
