/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/encode.h"

static const char *null_if_empty(const char *text)
{
	return text && text[0] ? text : NULL;
}

static void encode_frame(struct json *json, const struct answer_frame *frame)
{
	json_open_object(json, NULL);
	json_string(json, "kind", frame->kind);
	json_string(json, "function", frame->function);
	if (frame->qualified_name)
		json_string(json, "qualified_name", frame->qualified_name);
	json_string(json, "module", frame->module);
	json_string(json, "build_id", null_if_empty(frame->build_id));
	json_uint64(json, "offset", frame->offset);
	json_string(json, "file", frame->file);
	if (frame->line)
		json_uint64(json, "line", frame->line);
	else
		json_null(json, "line");
	json_bool(json, "inlined", frame->is_inlined);
	json_bool(json, "pending", frame->is_pending);
	json_close_object(json);
}

static const char *kind_of(const struct answer_site *site)
{
	if (site->is_rss)
		return "resident";
	return site->is_mapping ? "mapping" : "block";
}

static void encode_rss_kinds(struct json *json, const char *key, const __u64 *bytes)
{
	json_open_object(json, key);
	json_uint64(json, "anonymous", bytes[RECORD_RSS_ANONYMOUS]);
	json_uint64(json, "file", bytes[RECORD_RSS_FILE]);
	json_uint64(json, "shared", bytes[RECORD_RSS_SHARED]);
	json_close_object(json);
}

static void encode_site_rss(struct json *json, const struct answer_site *site)
{
	const struct answer_rss *rss = &site->rss;

	json_int64(json, "rss_growth_bytes", rss->growth_bytes);
	json_uint64(json, "rss_grown_bytes", rss->grown_bytes);
	json_uint64(json, "rss_shrunk_bytes", rss->shrunk_bytes);
	if (!site->is_rss)
		return;
	json_double(json, "rss_growth_bytes_stderr", rss->growth_bytes_stderr);
	encode_rss_kinds(json, "rss_grown_bytes_by_kind", rss->by_kind.grown_bytes);
	encode_rss_kinds(json, "rss_shrunk_bytes_by_kind", rss->by_kind.shrunk_bytes);
}

static void encode_rss(struct json *json, const struct answer_sites *answer)
{
	json_open_object(json, "rss_profile");
	json_bool(json, "available", !answer->rss_refusal);
	if (answer->rss_refusal)
		json_string(json, "reason", answer->rss_refusal);
	json_int64(json, "growth_bytes", answer->rss.growth_bytes);
	encode_rss_kinds(json, "grown_bytes_by_kind", answer->rss.by_kind.grown_bytes);
	encode_rss_kinds(json, "shrunk_bytes_by_kind", answer->rss.by_kind.shrunk_bytes);
	json_uint64(json, "grown_elsewhere_bytes", answer->rss_grown_elsewhere_bytes);
	json_uint64(json, "shrunk_elsewhere_bytes", answer->rss_shrunk_elsewhere_bytes);
	json_uint64(json, "interval_bytes", answer->rss_interval_bytes);
	json_uint64(json, "samples", answer->rss_samples);
	json_uint64(json, "samples_to_root", answer->rss_samples_to_root);
	json_uint64(json, "samples_without_stack", answer->rss_samples_without_stack);
	json_uint64(json, "lost_samples", answer->rss_lost_samples);
	json_close_object(json);
}

static void encode_site(struct json *json, const struct answer_site *site, bool has_verdict)
{
	json_open_object(json, NULL);
	if (has_verdict)
		json_string(json, "verdict", verdict_name(site->verdict));
	json_string(json, "kind", kind_of(site));
	json_bool(json, "is_python_arena", site->is_python_arena);
	json_int64(json, "outstanding_bytes", site->outstanding_bytes);
	json_double(json, "outstanding_bytes_stderr", site->outstanding_bytes_stderr);
	json_double(json, "outstanding_objects", site->outstanding_objects);
	json_uint64(json, "allocated_bytes", site->allocated_bytes);
	json_double(json, "allocated_objects", site->allocated_objects);
	json_uint64(json, "freed_bytes", site->freed_bytes);
	json_double(json, "freed_objects", site->freed_objects);
	encode_site_rss(json, site);
	if (has_verdict)
		json_double(json, "growth_bytes_per_second", site->growth_bytes_per_second);
	json_double(json, "oldest_age_seconds", site->oldest_age_seconds);
	if (has_verdict)
		json_string(json, "reason", site->reason);
	json_string(json, "stack_end", site->stack_end);
	if (site->python_end)
		json_string(json, "python_end", site->python_end);
	json_open_array(json, "stack");
	for (size_t i = 0; i < site->frame_count; i++)
		encode_frame(json, &site->frames[i]);
	json_close_array(json);
	json_close_object(json);
}

static void encode_python(struct json *json, const struct answer_python *python)
{
	if (!python->version[0] && !python->refusal[0]) {
		json_null(json, "python");
		return;
	}
	json_open_object(json, "python");
	json_string(json, "version", null_if_empty(python->version));
	json_string(json, "refusal", null_if_empty(python->refusal));
	json_uint64(json, "stacks_taken", python->stacks_taken);
	json_uint64(json, "stacks_to_root", python->stacks_to_root);
	json_close_object(json);
}

static void encode_completeness(struct json *json, const struct answer_sites *answer)
{
	json_bool(json, "complete", answer->is_complete);
	if (!answer->is_complete)
		json_string(json, "incomplete_reason", answer->incomplete_reason);
	json_uint64(json, "lost_events", answer->lost_events);
	json_uint64(json, "stacks_taken", answer->stacks_taken);
	json_uint64(json, "stacks_to_root", answer->stacks_to_root);
	encode_python(json, &answer->python);
	json_losses(json, answer->losses, answer->loss_count);
	json_bool(json, "ended", answer->is_ended);
	if (answer->is_ended)
		json_string(json, "end_reason", answer->end_reason);
	if (answer->end_detail && answer->end_detail[0])
		json_string(json, "end_detail", answer->end_detail);
}

void json_account(struct json *json, const struct answer_sites *answer)
{
	json_int64(json, "pid", answer->pid);
	json_string_n(json, "comm", answer->comm, sizeof(answer->comm));
	json_time(json, "start_time", answer->start_time_seconds);
	json_double(json, "observed_seconds", answer->observed_seconds);
	json_string(json, "provider", answer->provider);
	json_interval(json, answer->sampling_interval_bytes);
	encode_completeness(json, answer);
	json_share(json, "overhead_share", answer->overhead_share);
	json_cost_control(json, &answer->control);
	json_int64(json, "outstanding_bytes", answer->outstanding_bytes);
	json_double(json, "outstanding_bytes_stderr", answer->outstanding_bytes_stderr);
	json_double(json, "outstanding_objects", answer->outstanding_objects);
	json_int64(json, "peak_bytes", answer->peak_bytes);
	json_double(json, "peak_seconds", answer->peak_seconds);
	encode_rss(json, answer);
	json_uint64(json, "sites_total", answer->sites_total);
}

void json_sites(struct json *json, const char *key, const struct answer_sites *answer)
{
	json_open_object(json, key);
	json_account(json, answer);
	json_uint64(json, "pending_frames", answer->pending_frames);
	json_open_array(json, "sites");
	for (size_t i = 0; i < answer->site_count; i++)
		encode_site(json, &answer->sites[i], answer->has_verdicts);
	json_close_array(json);
	json_close_object(json);
}
