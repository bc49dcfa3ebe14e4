/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/encode.h"

static void encode_fields(struct json *json, const struct answer_process *process)
{
	json_int64(json, "pid", process->pid);
	json_namespace_pid(json, process->namespace_pid);
	json_int64(json, "parent_pid", process->parent_pid);
	json_uint64(json, "uid", process->uid);
	json_string_n(json, "comm", process->comm, sizeof(process->comm));
	json_uint64(json, "threads", process->threads);
	json_time(json, "start_time", process->start_time_seconds);
	json_uint64(json, "rss_bytes", process->rss_bytes);
	json_uint64(json, "rss_anon_bytes", process->rss_anon_bytes);
	json_uint64(json, "rss_file_bytes", process->rss_file_bytes);
	json_uint64(json, "rss_shmem_bytes", process->rss_shmem_bytes);
	json_uint64(json, "swap_bytes", process->swap_bytes);
	json_uint64(json, "peak_rss_bytes", process->peak_rss_bytes);
	json_uint64(json, "total_vm_bytes", process->total_vm_bytes);
	json_uint64(json, "minor_faults", process->minor_faults);
	json_uint64(json, "major_faults", process->major_faults);
}

void json_processes(struct json *json, const struct answer_processes *answer)
{
	json_open_object(json, NULL);
	json_uint64(json, "processes_total", answer->processes_total);
	json_uint64(json, "rss_bytes", answer->rss_bytes);
	json_uint64(json, "minor_faults", answer->minor_faults);
	json_uint64(json, "major_faults", answer->major_faults);
	json_open_array(json, "processes");
	for (size_t i = 0; i < answer->process_count; i++) {
		json_open_object(json, NULL);
		encode_fields(json, &answer->processes[i]);
		json_bool(json, "target", answer->processes[i].is_target);
		json_close_object(json);
	}
	json_close_array(json);
	json_close_object(json);
}

void json_process(struct json *json, const struct answer_process *process,
		  const struct answer_target *target)
{
	json_open_object(json, NULL);
	encode_fields(json, process);
	if (target)
		json_target(json, "target", target);
	else
		json_null(json, "target");
	json_close_object(json);
}
