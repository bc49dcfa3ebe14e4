/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/encode.h"

/* Unknown is null: before Linux 6.9 the kernel names the victim and says no more. */
static void encode_bytes(struct json *json, const char *key, bool is_known, uint64_t bytes)
{
	if (is_known)
		json_uint64(json, key, bytes);
	else
		json_null(json, key);
}

static void encode_memory(struct json *json, const struct answer_oom *oom)
{
	bool is_known = oom->has_rss;

	encode_bytes(json, "rss_bytes", is_known,
		     oom->rss_anon_bytes + oom->rss_file_bytes + oom->rss_shmem_bytes);
	encode_bytes(json, "rss_anon_bytes", is_known, oom->rss_anon_bytes);
	encode_bytes(json, "rss_file_bytes", is_known, oom->rss_file_bytes);
	encode_bytes(json, "rss_shmem_bytes", is_known, oom->rss_shmem_bytes);
	encode_bytes(json, "swap_bytes", is_known, oom->swap_bytes);
	encode_bytes(json, "total_vm_bytes", is_known, oom->total_vm_bytes);
	encode_bytes(json, "page_tables_bytes", is_known, oom->page_tables_bytes);
}

void json_oom(struct json *json, const struct answer_oom *oom)
{
	json_open_object(json, NULL);
	json_uint64(json, "id", oom->id);
	json_time(json, "time", oom->time_seconds);
	json_int64(json, "pid", oom->pid);
	json_uint64(json, "uid", oom->uid);
	json_string_n(json, "comm", oom->comm, sizeof(oom->comm));
	json_string(json, "cgroup", oom->cgroup ? oom->cgroup : "");
	encode_memory(json, oom);
	json_int64(json, "oom_score_adj", oom->oom_score_adj);
	json_bool(json, "was_target", oom->was_target);
	if (oom->sites)
		json_sites(json, "held", oom->sites);
	else
		json_null(json, "held");
	json_close_object(json);
}

void json_ooms(struct json *json, const struct answer_ooms *answer)
{
	json_open_object(json, NULL);
	json_uint64(json, "oom_kills_total", answer->oom_kills_total);
	json_open_array(json, "ooms");
	for (size_t i = 0; i < answer->oom_count; i++)
		json_oom(json, &answer->ooms[i]);
	json_close_array(json);
	json_close_object(json);
}
