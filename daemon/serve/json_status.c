/* SPDX-License-Identifier: Apache-2.0 */
/* About memwatchd itself: its state, and what this kernel offers. */
#include "serve/encode.h"

static void encode_maps(struct json *json, const struct answer_status *answer)
{
	json_open_object(json, "maps");
	for (size_t i = 0; i < answer->map_count; i++) {
		json_open_object(json, answer->maps[i].name);
		json_uint64(json, "used", answer->maps[i].used);
		json_uint64(json, "max", answer->maps[i].max);
		json_close_object(json);
	}
	json_close_object(json);
}

static void encode_backends(struct json *json, const struct answer_status *answer)
{
	json_open_array(json, "attach_backends_tried");
	for (size_t i = 0; i < answer->backend_tried_count; i++) {
		json_open_object(json, NULL);
		json_string(json, "name", answer->backends_tried[i].name);
		json_bool(json, "works", answer->backends_tried[i].works);
		json_string(json, "reason", answer->backends_tried[i].reason);
		json_close_object(json);
	}
	json_close_array(json);
}

static void encode_naming(struct json *json, const struct answer_naming *naming)
{
	json_open_object(json, "naming");
	json_uint64(json, "waiting_frames", naming->waiting_frames);
	json_uint64(json, "named_frames_total", naming->named_frames_total);
	json_uint64(json, "dropped_frames_total", naming->dropped_frames_total);
	json_uint64(json, "pending_frames_total", naming->pending_frames_total);
	json_double(json, "cpu_seconds_total", naming->cpu_seconds_total);
	json_close_object(json);
}

static void encode_python(struct json *json, const struct answer_python_codes *python)
{
	json_open_object(json, "python_codes");
	json_uint64(json, "bytes", python->bytes);
	json_uint64(json, "bytes_max", python->bytes_max);
	json_uint64(json, "read_total", python->read_total);
	json_uint64(json, "reused_total", python->reused_total);
	json_uint64(json, "unreadable_total", python->unreadable_total);
	json_uint64(json, "dropped_total", python->dropped_total);
	json_close_object(json);
}

static void encode_unwind(struct json *json, const struct answer_unwind *unwind)
{
	json_open_object(json, "unwind");
	json_uint64(json, "modules", unwind->modules);
	json_uint64(json, "bytes", unwind->bytes);
	json_uint64(json, "bytes_max", unwind->bytes_max);
	json_uint64(json, "builds_total", unwind->builds_total);
	json_double(json, "build_seconds_total", unwind->build_seconds_total);
	json_uint64(json, "refused_modules_total", unwind->refused_modules_total);
	json_close_object(json);
}

static void encode_debuginfod(struct json *json, const struct answer_debuginfod *debuginfod)
{
	json_open_object(json, "debuginfod");
	json_bool(json, "configured", debuginfod->is_configured);
	json_uint64(json, "queued", debuginfod->queued);
	json_uint64(json, "found_total", debuginfod->found_total);
	json_uint64(json, "not_found_total", debuginfod->not_found_total);
	json_uint64(json, "failed_total", debuginfod->failed_total);
	json_uint64(json, "refused_total", debuginfod->refused_total);
	json_uint64(json, "dropped_total", debuginfod->dropped_total);
	json_uint64(json, "received_bytes_total", debuginfod->received_bytes_total);
	json_uint64(json, "cache_bytes", debuginfod->cache_bytes);
	json_uint64(json, "cache_bytes_max", debuginfod->cache_bytes_max);
	json_close_object(json);
}

void json_status(struct json *json, const struct answer_status *answer)
{
	json_open_object(json, NULL);
	json_string(json, "version", answer->version);
	json_time(json, "start_time", answer->start_time_seconds);
	json_double(json, "uptime_seconds", answer->uptime_seconds);
	json_string(json, "backend", answer->backend);
	encode_backends(json, answer);
	json_uint64(json, "targets", answer->targets);
	json_uint64(json, "targets_max", answer->targets_max);
	json_uint64(json, "targets_reporting", answer->targets_reporting);
	json_double(json, "cpu_seconds", answer->cpu_seconds);
	json_uint64(json, "rss_bytes", answer->rss_bytes);
	json_uint64(json, "bpf_memory_bytes", answer->bpf_memory_bytes);
	json_uint64(json, "symbol_cache_bytes", answer->symbol_cache_bytes);
	encode_naming(json, &answer->naming);
	encode_python(json, &answer->python);
	encode_unwind(json, &answer->unwind);
	encode_debuginfod(json, &answer->debuginfod);
	json_uint64(json, "oom_kills_total", answer->oom_kills_total);
	json_uint64(json, "ended_over_budget_total", answer->ended_over_budget_total);
	json_uint64(json, "intervals_raised_total", answer->intervals_raised_total);
	json_uint64(json, "events_total", answer->events_total);
	encode_maps(json, answer);
	json_losses(json, answer->losses, answer->loss_count);
	json_close_object(json);
}

static void encode_check(struct json *json, const struct answer_check *check)
{
	json_open_object(json, NULL);
	json_string(json, "name", check->name);
	json_string(json, "state", check->state);
	json_string(json, "detail", check->detail);
	json_string(json, "remedy", check->remedy);
	json_close_object(json);
}

void json_doctor(struct json *json, const struct answer_doctor *answer)
{
	json_open_object(json, NULL);
	json_bool(json, "healthy", answer->is_healthy);
	json_open_array(json, "checks");
	for (size_t i = 0; i < answer->check_count; i++)
		encode_check(json, &answer->checks[i]);
	json_close_array(json);
	json_open_object(json, "costs_ns");
	for (size_t i = 0; i < answer->cost_count; i++) {
		if (answer->costs[i].ns < 0)
			json_null(json, answer->costs[i].name);
		else
			json_double(json, answer->costs[i].name, answer->costs[i].ns);
	}
	json_close_object(json);
	json_close_object(json);
}
