/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * exec, exit and fork of targets. For every other process each costs one failed map lookup.
 */
#include "kernel_types.h"
#include "maps.h"
#include "site.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

/* include/linux/sched/signal.h */
#define SIGNAL_GROUP_EXIT 4

static __always_inline struct record_target_counters *target_find(__u32 pid, __u32 *slot)
{
	__u32 *found = bpf_map_lookup_elem(&target_slots, &pid);

	if (!found)
		return 0;
	*slot = *found;
	return bpf_map_lookup_elem(&target_counters, slot);
}

static __always_inline void send_event(void *event, __u64 size_bytes)
{
	struct record_host_counters *host = host_counters_get();

	if (bpf_ringbuf_output(&events, event, size_bytes, 0) && host)
		COUNT(host->lost_lifecycle_events);
}

#define DUMPABLE_MASK 3 /* the low bits of mm->flags; 1: by its user (SUID_DUMP_USER) */
#define DUMPABLE_USER 1

/*
 * Programs that are set-user-id, set-group-id, bring capabilities or may not be read run on behalf
 * of a user who may not look into them, as with ptrace; the user id alone does not tell.
 */
static __always_inline __u32 task_owner(struct task_struct *task)
{
	struct mm_struct *mm = BPF_CORE_READ(task, mm);
	struct mm_struct___since_6_18 *newer = (void *)mm;
	struct mm_struct___before_6_18 *older = (void *)mm;
	unsigned long flags = 0;

	if (bpf_core_field_exists(newer->flags))
		bpf_core_read(&flags, sizeof(flags), &newer->flags);
	else
		bpf_core_read(&flags, sizeof(flags), &older->flags);
	return (flags & DUMPABLE_MASK) == DUMPABLE_USER ? BPF_CORE_READ(task, cred, euid.val) : 0;
}

/*
 * The old memory is gone and the new program is about to start: from here on blocks belong to a new
 * account. The daemon learns of it by the event and makes up what an account needs.
 */
SEC("tp_btf/sched_process_exec")
int BPF_PROG(target_exec, struct task_struct *task, int old_pid, struct linux_binprm *bprm)
{
	struct record_event_exec event = {.event.kind = RECORD_EVENT_EXEC};
	struct record_target_control *control;
	struct record_target_counters *counters;
	__u32 pid = task->tgid, zero = 0, *last;

	counters = target_find(pid, &event.event.slot);
	last = bpf_map_lookup_elem(&last_account, &zero);
	if (!counters || !last)
		return 0;
	event.event.pid = pid;
	event.event.account = counters->account;
	event.new_account = __sync_fetch_and_add(last, 1) + 1;
	event.is_leader_changed = old_pid != task->pid;
	event.counters = *counters;
	event.uid = task_owner(task);
	counters->overflow_site = 0;
	counters->blocks = 0;
	counters->sites = 0;
	counters->rss_sites = 0;
	/* The daemon says so too, but blocks are born before it has heard of the exec. */
	control = bpf_map_lookup_elem(&target_controls, &event.event.slot);
	if (control)
		control->generation = 1;
	counters->account = event.new_account;
	send_event(&event, sizeof(event));
	return 0;
}

/* What the thread's reallocs had taken out of the map is gone, as in a call left by longjmp. */
static __always_inline void thread_abandon_calls(struct thread_state *state,
						 struct record_target_counters *counters)
{
	for (__u32 i = 0; i < PENDING_CALLS_MAX && i < state->depth; i++) {
		struct record_site *site;

		COUNT(counters->abandoned_calls);
		site = state->pending[i].has_old ? site_get(state->pending[i].old.site) : 0;
		if (site)
			site_remove_block(site, &state->pending[i].old);
	}
}

/* All threads end by one exit or signal, or all but one by that one's exec. */
static __always_inline bool is_whole_group_ending(struct task_struct *task)
{
	struct signal_struct *signal = task->signal;

	if (BPF_CORE_READ(signal, flags) & SIGNAL_GROUP_EXIT)
		return true;
	return bpf_core_field_exists(signal->group_exec_task) &&
	       BPF_CORE_READ(signal, group_exec_task);
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(target_exit, struct task_struct *task)
{
	struct record_event event = {.kind = RECORD_EVENT_EXIT};
	struct record_target_counters *counters;
	struct thread_state *state;

	event.pid = task->tgid;
	counters = target_find(event.pid, &event.slot);
	if (!counters)
		return 0;
	event.account = counters->account;
	state = bpf_task_storage_get(&thread_states, task, 0, 0);
	if (state && state->account == counters->account)
		thread_abandon_calls(state, counters);
	if (!BPF_CORE_READ(task, signal, live.counter)) /* it was the last thread */
		send_event(&event, sizeof(event));
	else if (task->pid == task->tgid && !is_whole_group_ending(task))
		COUNT(counters->main_thread_exits);
	return 0;
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(target_fork, struct task_struct *parent, struct task_struct *child)
{
	struct record_event_fork event = {.event.kind = RECORD_EVENT_FORK};
	struct record_target_counters *counters;

	if (child->tgid == parent->tgid)
		return 0;
	event.event.pid = parent->tgid;
	counters = target_find(event.event.pid, &event.event.slot);
	if (!counters)
		return 0;
	event.event.account = counters->account;
	event.child_pid = child->tgid;
	event.shares_memory = BPF_CORE_READ(child, mm) == BPF_CORE_READ(parent, mm);
	send_event(&event, sizeof(event));
	return 0;
}
