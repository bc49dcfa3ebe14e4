/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/encode.h"

#include <math.h>

static void encode_account(struct json *json, const struct answer_target *target)
{
	json_int64(json, "outstanding_bytes", target->outstanding_bytes);
	json_double(json, "outstanding_bytes_stderr", target->outstanding_bytes_stderr);
	json_double(json, "outstanding_objects", target->outstanding_objects);
	json_uint64(json, "allocated_bytes", target->allocated_bytes);
	json_uint64(json, "sites", target->sites);
	json_uint64(json, "blocks", target->blocks);
	json_uint64(json, "blocks_max", target->blocks_max);
	json_uint64(json, "mappings", target->mappings);
	json_uint64(json, "mapping_bytes", target->mapping_bytes);
	json_uint64(json, "allocator_mapping_bytes", target->allocator_mapping_bytes);
}

static void encode_events(struct json *json, const struct answer_target *target)
{
	json_uint64(json, "allocation_hits", target->allocation_hits);
	json_uint64(json, "free_hits", target->free_hits);
	json_uint64(json, "return_hits", target->return_hits);
	json_uint64(json, "failed_allocations", target->failed_allocations);
	json_uint64(json, "unknown_frees", target->unknown_frees);
	json_uint64(json, "missed_frees", target->missed_frees);
	json_uint64(json, "abandoned_calls", target->abandoned_calls);
	json_uint64(json, "nested_calls", target->nested_calls);
	json_uint64(json, "probes", target->probes);
	json_uint64(json, "probes_single_stepped", target->probes_single_stepped);
}

void json_target(struct json *json, const char *key, const struct answer_target *target)
{
	json_open_object(json, key);
	json_int64(json, "pid", target->pid);
	json_namespace_pid(json, target->namespace_pid);
	json_string_n(json, "comm", target->comm, sizeof(target->comm));
	json_uint64(json, "uid", target->uid);
	json_time(json, "start_time", target->start_time_seconds);
	json_double(json, "watched_seconds", target->watched_seconds);
	json_string(json, "provider", target->provider);
	json_string(json, "provider_reason", target->provider_reason);
	json_interval(json, target->sampling_interval_bytes);
	json_bool(json, "ended", target->is_ended);
	json_string(json, "end_reason", target->end_reason);
	json_string(json, "end_detail",
		    target->end_detail && target->end_detail[0] ? target->end_detail : NULL);
	json_string(json, "allocators", target->allocators ? target->allocators : "");
	json_string(json, "backend", target->backend);
	json_uint64(json, "leases", target->leases);
	json_bool(json, "persistent", target->is_persistent);
	json_bool(json, "retried", target->is_retried);
	encode_account(json, target);
	encode_events(json, target);
	json_share(json, "overhead_share", target->overhead_share);
	json_cost_control(json, &target->control);
	json_losses(json, target->losses, target->loss_count);
	json_close_object(json);
}

static void encode_waiting(struct json *json, const struct answer_waiting *waiting)
{
	json_open_object(json, NULL);
	json_int64(json, "pid", waiting->pid);
	json_string_n(json, "comm", waiting->comm, sizeof(waiting->comm));
	json_uint64(json, "uid", waiting->uid);
	json_double(json, "due_seconds", waiting->due_seconds);
	json_uint64(json, "retries", waiting->retries);
	json_share(json, "overhead_share", waiting->cost_share);
	json_share(json, "budget_share", waiting->budget_share);
	json_close_object(json);
}

void json_targets(struct json *json, const struct answer_targets *answer)
{
	json_open_object(json, NULL);
	json_open_array(json, "targets");
	for (size_t i = 0; i < answer->target_count; i++)
		json_target(json, NULL, &answer->targets[i]);
	json_close_array(json);
	json_open_array(json, "waiting");
	for (size_t i = 0; i < answer->waiting_count; i++)
		encode_waiting(json, &answer->waiting[i]);
	json_close_array(json);
	json_close_object(json);
}

void json_namespace_pid(struct json *json, pid_t namespace_pid)
{
	if (namespace_pid)
		json_int64(json, "namespace_pid", namespace_pid);
	else
		json_null(json, "namespace_pid");
}

void json_share(struct json *json, const char *key, double share)
{
	if (share < 0 || !isfinite(share))
		json_null(json, key);
	else
		json_double(json, key, share);
}

void json_cost_control(struct json *json, const struct answer_cost_control *control)
{
	json_share(json, "recent_overhead_share", control->recent_share);
	json_share(json, "budget_share", control->budget_share);
	json_bool(json, "forced", isinf(control->budget_share));
	json_bool(json, "over_budget", control->is_over);
	json_uint64(json, "sampling_interval_asked_bytes", control->asked_interval_bytes);
	json_uint64(json, "sampling_interval_raises", control->interval_raises);
}

void json_losses(struct json *json, const struct answer_loss *losses, size_t loss_count)
{
	json_open_object(json, "losses");
	for (size_t i = 0; i < loss_count; i++)
		json_uint64(json, losses[i].name, losses[i].count);
	json_close_object(json);
}
