/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * OOM kills of the whole host: who was chosen and what the kernel knew of it at that moment.
 */
#include "kernel_types.h"
#include "maps.h"
#include "process.h"

#include <bpf/bpf_core_read.h>

/*
 * Names from the memory cgroup's node up to the root. Where the unified hierarchy has the memory
 * controller the task's css leads there as well, so one way serves both versions.
 */
static __always_inline __u32 read_cgroup(struct task_struct *task,
					 char (*names)[RECORD_CGROUP_LENGTH])
{
	struct css_set *set = BPF_CORE_READ(task, cgroups);
	int memory = bpf_core_enum_value(enum cgroup_subsys_id, memory_cgrp_id);
	struct cgroup_subsys_state *css = 0;
	struct kernfs_node *node;
	__u32 depth;

	bpf_core_read(&css, sizeof(css), &set->subsys[memory & 15]);
	node = BPF_CORE_READ(css, cgroup, kn);
	for (depth = 0; depth < RECORD_CGROUP_DEPTH; depth++) {
		struct kernfs_node___since_6_15 *newer = (void *)node;
		struct kernfs_node___before_6_15 *older = (void *)node;

		if (!node)
			break;
		bpf_probe_read_kernel_str(names[depth], RECORD_CGROUP_LENGTH,
					  BPF_CORE_READ(node, name));
		if (bpf_core_field_exists(newer->__parent))
			node = BPF_CORE_READ(newer, __parent);
		else
			node = BPF_CORE_READ(older, parent);
	}
	return depth;
}

static __always_inline void read_victim(struct task_struct *task, struct record_event_oom *event)
{
	struct mm_struct *mm = BPF_CORE_READ(task, mm);
	struct process_memory memory = {};

	event->event.pid = BPF_CORE_READ(task, tgid);
	event->uid = BPF_CORE_READ(task, cred, euid.val);
	event->oom_score_adj = BPF_CORE_READ(task, signal, oom_score_adj);
	BPF_CORE_READ_STR_INTO(&event->comm, task, comm);
	event->cgroup_depth = read_cgroup(task, event->cgroup);
	if (!mm)
		return;
	process_read_memory((__u64)mm, &memory);
	event->has_rss = 1;
	event->rss_anon_bytes = memory.bytes[MM_ANONYMOUS];
	event->rss_file_bytes = memory.bytes[MM_FILE];
	event->rss_shmem_bytes = memory.bytes[MM_SHMEM];
	event->swap_bytes = memory.bytes[MM_SWAP];
	event->total_vm_bytes = BPF_CORE_READ(mm, total_vm) * page_size_bytes;
	event->page_tables_bytes = BPF_CORE_READ(mm, pgtables_bytes.counter);
}

SEC("raw_tp/mark_victim")
int oom_mark_victim(struct bpf_raw_tracepoint_args *ctx)
{
	struct record_host_counters *host = host_counters_get();
	struct record_event_oom *event;
	__u32 *slot, pid;

	if (!host)
		return 0;
	COUNT(host->oom_kills);
	event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	if (!event) {
		COUNT(host->lost_oom_events);
		return 0;
	}
	__builtin_memset(event, 0, sizeof(*event));
	event->event.kind = RECORD_EVENT_OOM;
	event->time_ns = bpf_ktime_get_boot_ns();
	if (bpf_core_field_exists(struct trace_event_raw_mark_victim___since_6_9, total_vm))
		read_victim((struct task_struct *)ctx->args[0], event);
	else
		event->event.pid = ctx->args[0]; /* the daemon asks /proc for the rest */
	/* Older verifiers take no key that lies in the ring buffer (6.1). */
	pid = event->event.pid;
	slot = bpf_map_lookup_elem(&target_slots, &pid);
	if (slot) {
		struct record_target_counters *counters =
			bpf_map_lookup_elem(&target_counters, slot);

		event->event.slot = *slot;
		event->event.account = counters ? counters->account : 0;
	}
	bpf_ringbuf_submit(event, 0);
	return 0;
}
