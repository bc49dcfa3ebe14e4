/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The RSS profile of targets: which code resident memory grows and shrinks by.
 *
 * The kernel's tracepoint rss_stat fires on every change of an mm's counters, after it. Since 6.2
 * it says which counter and not by how much: a counter is one number for each CPU and a sum of what
 * these have handed over, and only the CPU of the change has another number than when it was last
 * looked at. A change that is handed over leaves 0 behind, and the sum tells the rest. Before 6.2
 * the tracepoint brings the new count; the kernel saves up the faults of a thread there, 64 at
 * most, so that so many are booked on the stack of the last of them.
 *
 * Changes by anybody else than the target's own threads have no stack of its: they are counted for
 * the whole. Teardown is one of these, as the process has left its memory before: exit and exec
 * shrink no site. What fork gives a child is the child's.
 */
#include "rss.h"
#include "block.h"
#include "pending.h"

#define PF_IO_WORKER   0x00000010
#define PF_USER_WORKER 0x00004000

/* ---- Beginning ---- */

static __always_inline void rss_begin_sums(struct rss_part *part)
{
	for (__u32 i = 0; i < RSS_SUMS; i++) {
		part->sums[i].bytes = 0;
		part->sums[i].distance_bytes =
			rss_first_distance_bytes(bpf_get_prandom_u32(), RSS_INTERVAL_MIN_BYTES);
	}
}

/* Returns whether this CPU's count cannot be had. */
__noinline int rss_begin_part(__u64 mm_address, __u32 slot, __u32 cpu)
{
	__u64 element_bytes = bpf_core_type_size(struct percpu_counter);
	__u32 index = slot * possible_cpu_count + cpu;
	struct rss_part *part;

	part = bpf_map_lookup_elem(&rss_parts, &index);
	if (!part)
		return 1;
	rss_begin_sums(part);
	if (!rss_is_counted_by_cpu())
		return 0;
	part->cpu_offset = process_cpu_offset(cpu);
	if (!part->cpu_offset)
		return 1;
	for (__u32 kind = 0; kind < RECORD_RSS_KINDS; kind++) {
		struct percpu_counter *counter = (void *)mm_address +
						 bpf_core_field_offset(struct mm_struct, rss_stat) +
						 rss_member(kind) * element_bytes;

		bpf_probe_read_kernel(&part->counted_pages[kind], sizeof(__s32),
				      (void *)BPF_CORE_READ(counter, counters) + part->cpu_offset);
	}
	return 0;
}

static __always_inline __s64 rss_read_sum(__u64 mm_address, __u32 kind)
{
	__u64 element_bytes = bpf_core_type_size(struct percpu_counter);
	struct percpu_counter *counter = (void *)mm_address +
					 bpf_core_field_offset(struct mm_struct, rss_stat) +
					 rss_member(kind) * element_bytes;

	return BPF_CORE_READ(counter, count);
}

static __always_inline __s64 rss_read_plain(__u64 mm_address, __u32 kind)
{
	struct mm_struct___before_6_2 *mm = (void *)mm_address;
	__s64 pages[MM_COUNTERS] = {};

	bpf_core_read(pages, sizeof(pages), &mm->rss_stat.count);
	return kind == RECORD_RSS_FILE        ? pages[MM_FILE]
	       : kind == RECORD_RSS_ANONYMOUS ? pages[MM_ANONYMOUS]
					      : pages[MM_SHMEM];
}

/* From now on changes of this memory are the slot's. */
__noinline int rss_begin(__u64 mm_address, __u32 slot, __u32 pid)
{
	struct record_rss_space *space = bpf_map_lookup_elem(&rss_spaces, &slot);
	__u8 *is_marked = rss_filter_of(BPF_CORE_READ((struct mm_struct *)mm_address, mmap_base));
	__u64 before;

	if (!space || !is_marked || !mm_address)
		return 0;
	before = space->mm;
	if (before)
		bpf_map_delete_elem(&rss_slots, &before);
	space->mm = 0;
	for (__u32 cpu = 0; cpu < CPUS_MAX && cpu < possible_cpu_count; cpu++)
		if (rss_begin_part(mm_address, slot, cpu))
			return 0;
	for (__u32 kind = 0; kind < RECORD_RSS_KINDS; kind++)
		space->counted_pages[kind] = rss_is_counted_by_cpu()
						     ? rss_read_sum(mm_address, kind)
						     : rss_read_plain(mm_address, kind);
	space->sampled_bytes = 0;
	space->pid = pid;
	space->mm = mm_address;
	*is_marked = 1;
	bpf_map_update_elem(&rss_slots, &mm_address, &slot, BPF_ANY);
	return 0;
}

/* Begins with every target that isn't followed yet, when the daemon asks. */
SEC("iter/task")
int rss_begin_targets(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	const struct record_rss_space *space;
	__u32 pid, slot, *found;

	if (!task || task->pid != task->tgid)
		return 0;
	pid = task->tgid;
	found = bpf_map_lookup_elem(&target_slots, &pid);
	if (!found)
		return 0;
	slot = *found;
	space = bpf_map_lookup_elem(&rss_spaces, &slot);
	if (space && !space->mm)
		rss_begin((__u64)BPF_CORE_READ(task, mm), slot, pid);
	return 0;
}

/* The new program's memory, where the one before was followed. */
SEC("tp_btf/sched_process_exec")
int BPF_PROG(rss_exec, struct task_struct *task, int old_pid, struct linux_binprm *bprm)
{
	__u32 pid = task->tgid, slot, *found = bpf_map_lookup_elem(&target_slots, &pid);
	const struct record_rss_space *space;

	if (!found)
		return 0;
	slot = *found;
	space = bpf_map_lookup_elem(&rss_spaces, &slot);
	if (space && space->mm)
		rss_begin((__u64)BPF_CORE_READ(task, mm), slot, pid);
	return 0;
}

/* ---- Sampling ---- */

/*
 * Where the thread left user space. A fault is exactly there and in a system call behind it; the
 * former is recorded as if it were a return address, one byte further.
 */
static __always_inline struct unwind_start rss_where(void)
{
	struct pt_regs *registers = (void *)bpf_task_pt_regs(bpf_get_current_task_btf());
	struct unwind_start start = {.return_address = PT_REGS_IP(registers),
				     .stack_pointer = PT_REGS_SP(registers),
				     .frame_pointer = PT_REGS_FP(registers)};

	/* arch/x86/entry/entry_64.S: -1 is no system call's number. */
	if ((__s64)registers->orig_rax == -1)
		start.return_address++;
	start.address = start.return_address - 1;
	return start;
}

static __always_inline __u32 rss_site(const struct call *call, struct thread_state *state)
{
	struct record_target_counters *counters = call->counters;
	struct site_share share = {.used = &counters->rss_sites,
				   .max = call->control->sites_max / RECORD_RSS_SITES_DIVISOR,
				   .lost = &counters->lost_rss_sites,
				   .free = &free_rss_sites};
	struct unwind_start start = rss_where();
	__u64 hash = unwind_take(call, &start, state);

	hash = python_take(call, state, hash);
	if (state->stack.end == RECORD_STACK_END_ROOT)
		COUNT(counters->rss_samples_to_root);
	return site_find(state, hash, call->slot, call->account, &share, counters);
}

static __always_inline void rss_book(struct record_site *site, __u32 sum, __u64 bytes)
{
	__u32 kind = sum >> 1;

	asm volatile("" : "+r"(kind));
	if (kind >= RECORD_RSS_KINDS)
		return;
	if (sum & 1)
		__sync_fetch_and_add(&site->rss.shrunk_bytes[kind], bytes);
	else
		__sync_fetch_and_add(&site->rss.grown_bytes[kind], bytes);
}

/* Books so many bytes, on the stack that is current. */
__noinline int rss_sample(__u32 slot, __u32 sum, __u64 bytes, __u64 interval_bytes)
{
	struct call call = {.slot = slot};
	struct thread_state *state;
	struct record_site *site = NULL;

	call.control = bpf_map_lookup_elem(&target_controls, &slot);
	call.counters = bpf_map_lookup_elem(&target_counters, &slot);
	call.hits = bpf_map_lookup_elem(&target_hits, &slot);
	if (!call.control || !call.counters || !call.hits)
		return 0;
	call.account = call.counters->account;
	if (!call.account || !call.control->is_enabled)
		return 0;
	COUNT(call.hits->rss_samples);
	COUNT(call.counters->rss_samples);
	call.counters->rss_interval_bytes = interval_bytes;
	state = thread_state_get(&call, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (state)
		site = site_get(rss_site(&call, state));
	if (site)
		rss_book(site, sum, bytes);
	else
		COUNT(call.counters->lost_rss_samples);
	return 0;
}

/* ---- Changes ---- */

/* Pages by which a counter has changed on this CPU since it last did. */
static __always_inline __s64 rss_pages_of_cpu(struct record_rss_space *space, struct rss_part *part,
					      const struct percpu_counter *counter, __u32 kind)
{
	__s64 sum = counter->count, pages;
	__s32 counted = 0;

	if (bpf_probe_read_kernel(&counted, sizeof(counted),
				  (void *)counter->counters + part->cpu_offset))
		return 0;
	pages = (__s64)counted - part->counted_pages[kind];
	part->counted_pages[kind] = counted;
	/* Another CPU may have handed over its own just now: only after one of ours is the sum
	 * ours. */
	if (!counted && sum != space->counted_pages[kind])
		pages += sum - __sync_lock_test_and_set(&space->counted_pages[kind], sum);
	return pages;
}

/* The verifier wants to see each counter by itself. */
static __always_inline __s64 rss_pages_by_cpu(struct record_rss_space *space, struct rss_part *part,
					      struct mm_struct *mm, __u32 kind)
{
	switch (kind) {
	case RECORD_RSS_ANONYMOUS:
		return rss_pages_of_cpu(space, part, &mm->rss_stat[MM_ANONYMOUS],
					RECORD_RSS_ANONYMOUS);
	case RECORD_RSS_FILE:
		return rss_pages_of_cpu(space, part, &mm->rss_stat[MM_FILE], RECORD_RSS_FILE);
	case RECORD_RSS_SHARED:
		return rss_pages_of_cpu(space, part, &mm->rss_stat[MM_SHMEM], RECORD_RSS_SHARED);
	}
	return 0;
}

static __always_inline __s64 rss_pages_told(struct record_rss_space *space, __u32 kind, __s64 count)
{
	asm volatile("" : "+r"(kind));
	if (kind >= RECORD_RSS_KINDS)
		return 0;
	return count - __sync_lock_test_and_set(&space->counted_pages[kind], count);
}

static __always_inline __u32 rss_kind(int member)
{
	switch (member) {
	case MM_FILE:
		return RECORD_RSS_FILE;
	case MM_ANONYMOUS:
		return RECORD_RSS_ANONYMOUS;
	case MM_SHMEM:
		return RECORD_RSS_SHARED;
	}
	return RECORD_RSS_KINDS;
}

/* Whether a thread of the target does this, on the program's behalf. */
static __always_inline bool rss_is_own(const struct record_rss_space *space,
				       const struct mm_struct *mm)
{
	struct task_struct *task = bpf_get_current_task_btf();

	return task->mm == mm && (__u32)task->tgid == space->pid &&
	       !(task->flags & (PF_KTHREAD | PF_IO_WORKER | PF_USER_WORKER));
}

static __always_inline void rss_count_elsewhere(__u32 slot, __s64 pages)
{
	struct record_target_counters *counters = bpf_map_lookup_elem(&target_counters, &slot);

	if (!counters)
		return;
	if (pages > 0)
		__sync_fetch_and_add(&counters->rss_grown_elsewhere_bytes, pages * page_size_bytes);
	else
		__sync_fetch_and_add(&counters->rss_shrunk_elsewhere_bytes,
				     -pages * page_size_bytes);
}

static __always_inline void rss_add(struct record_rss_space *space, struct rss_part *part,
				    __u32 slot, __u32 kind, __s64 pages)
{
	__u64 bytes = (pages < 0 ? -pages : pages) * page_size_bytes, interval_bytes;
	__u32 number = RSS_SUM(kind, pages < 0);
	struct rss_sum *sum;

	/* The compiler knows the bound; the verifier of 6.1 has to see it. */
	asm volatile("" : "+r"(number));
	number &= RSS_SUMS - 1;
	sum = &part->sums[number];
	bytes += sum->bytes;
	sum->bytes = bytes;
	if (bytes < sum->distance_bytes)
		return;
	sum->bytes = 0;
	__sync_fetch_and_add(&space->sampled_bytes, bytes);
	interval_bytes = rss_interval_bytes(space->sampled_bytes);
	sum->distance_bytes = rss_distance_bytes(bpf_get_prandom_u32(), interval_bytes);
	rss_sample(slot, number, bytes, interval_bytes);
}

static __always_inline void rss_follow(__u64 *ctx, struct mm_struct *mm, __u32 slot, __u32 kind)
{
	__u32 index = slot * possible_cpu_count + bpf_get_smp_processor_id();
	struct record_rss_space *space = bpf_map_lookup_elem(&rss_spaces, &slot);
	struct rss_part *part = bpf_map_lookup_elem(&rss_parts, &index);
	struct record_target_hits *hits = bpf_map_lookup_elem(&target_hits, &slot);
	__s64 pages;

	if (!space || !part || !hits || space->mm != (__u64)mm)
		return;
	COUNT(hits->rss_changes);
	if (rss_is_counted_by_cpu())
		pages = rss_pages_by_cpu(space, part, mm, kind);
	else
		pages = rss_pages_told(space, kind, ctx[2]);
	if (!pages)
		return;
	if (rss_is_own(space, mm))
		rss_add(space, part, slot, kind, pages);
	else
		rss_count_elsewhere(slot, pages);
}

SEC("tp_btf/rss_stat")
int rss_change(__u64 *ctx)
{
	struct mm_struct *mm = (void *)ctx[0];
	__u32 kind = rss_kind(ctx[1]), *slot;
	__u64 key = (__u64)mm;
	__u8 *is_marked = rss_filter_of(mm->mmap_base);

	if (!is_marked || !*is_marked || kind >= RECORD_RSS_KINDS)
		return 0;
	slot = bpf_map_lookup_elem(&rss_slots, &key);
	if (slot)
		rss_follow(ctx, mm, *slot, kind);
	return 0;
}
