/* SPDX-License-Identifier: Apache-2.0 */
/* What a change was answered by, and every error. */
#include "serve/encode.h"

#include <math.h>
void json_interval(struct json *json, uint64_t sampling_interval_bytes)
{
	if (sampling_interval_bytes)
		json_uint64(json, "sampling_interval_bytes", sampling_interval_bytes);
	else
		json_null(json, "sampling_interval_bytes");
}

void json_watched(struct json *json, pid_t pid, const struct view_watch_result *result)
{
	json_open_object(json, NULL);
	json_int64(json, "pid", pid);
	if (result->lease_id)
		json_uint64(json, "lease_id", result->lease_id);
	else
		json_null(json, "lease_id");
	json_bool(json, "was_watched", result->was_watched);
	json_string(json, "provider", result->provider);
	json_interval(json, result->sampling_interval_bytes);
	json_double(json, "watched_seconds", result->watched_seconds);
	json_share(json, "budget_share", result->budget_share);
	json_bool(json, "forced", isinf(result->budget_share));
	json_close_object(json);
}

void json_unwatched(struct json *json, pid_t pid, bool is_watched)
{
	json_open_object(json, NULL);
	json_int64(json, "pid", pid);
	json_bool(json, "watched", is_watched);
	json_close_object(json);
}

void json_error(struct json *json, const char *code, const char *message)
{
	json_open_object(json, NULL);
	json_open_object(json, "error");
	json_string(json, "code", code);
	json_string(json, "message", message);
	json_close_object(json);
	json_close_object(json);
}
