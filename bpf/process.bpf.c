/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Every thread of the host, when the daemon asks: the kernel's own counters, at about 1 us each.
 * Nothing is added to a page fault, and processes that started before us are as exact as others.
 */
#include "process.h"
#include "kernel_types.h"
#include "record.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

/* Set at load. */
const volatile __u32 possible_cpu_count = 1;
const volatile __u32 page_size_bytes = 4096;

/* Nothing is written there: see process_cpu_offset(). */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} cpu_places SEC(".maps");

/* A pointer as a number, which the verifier doesn't make of it. */
static __always_inline __u64 address_of(void *pointer)
{
	__u64 address = 0;

	bpf_probe_read_kernel(&address, sizeof(address), &pointer);
	return address;
}

/*
 * The kernel's table __per_cpu_offset is no symbol where it is built without CONFIG_KALLSYMS_ALL.
 * But of a map of our own both addresses are known: the per-CPU one, and where that CPU has it.
 */
__noinline __u64 process_cpu_offset(__u32 cpu)
{
	__u64 per_cpu_address = 0;
	__u32 zero = 0;
	void *place;

	/* Kernels that lack the helper are among these (5.19). */
	if (bpf_core_field_exists(((struct mm_struct___before_6_2 *)0)->rss_stat.count) ||
	    !bpf_core_field_exists(((struct bpf_array *)0)->pptrs))
		return 0;
	place = bpf_map_lookup_percpu_elem(&cpu_places, &zero, cpu);
	if (!place)
		return 0;
	bpf_probe_read_kernel(&per_cpu_address, sizeof(per_cpu_address),
			      (void *)address_of(&cpu_places) +
				      bpf_core_field_offset(struct bpf_array, pptrs));
	return per_cpu_address ? address_of(place) - per_cpu_address : 0;
}

/*
 * Before 6.2 the kernel kept one number a kind; since then a number and a part for each CPU. Each
 * way stands behind its own test, so that no offset of the other one is asked for.
 */
static __always_inline void read_plain_counters(struct mm_struct *mm, __s64 pages[MM_COUNTERS])
{
	struct mm_struct___before_6_2 *old = (void *)mm;

	bpf_core_read(pages, MM_COUNTERS * sizeof(*pages), &old->rss_stat.count);
}

static __always_inline void read_percpu_counters(struct mm_struct *mm, __s64 pages[MM_COUNTERS])
{
	/* An index that the compiler keeps variable is not relocated: the element's real size is.
	 */
	__u64 element_bytes = bpf_core_type_size(struct percpu_counter);
	void *elements = (void *)mm + bpf_core_field_offset(struct mm_struct, rss_stat);
	__s32 *parts[MM_COUNTERS];

	for (int kind = 0; kind < MM_COUNTERS; kind++) {
		struct percpu_counter *counter = elements + kind * element_bytes;

		pages[kind] = BPF_CORE_READ(counter, count);
		parts[kind] = BPF_CORE_READ(counter, counters);
	}
	for (__u32 cpu = 0; cpu < CPUS_MAX; cpu++) {
		__u64 offset;

		if (cpu >= possible_cpu_count)
			break;
		offset = process_cpu_offset(cpu);
		for (int kind = 0; kind < MM_COUNTERS; kind++) {
			__s32 part = 0;

			bpf_probe_read_kernel(&part, sizeof(part), (void *)parts[kind] + offset);
			pages[kind] += part;
		}
	}
}

__noinline int process_read_memory(__u64 mm_address, struct process_memory *memory)
{
	struct mm_struct *mm = (void *)mm_address;
	__s64 pages[MM_COUNTERS] = {};

	if (!memory)
		return 0;
	if (bpf_core_field_exists(((struct mm_struct___before_6_2 *)0)->rss_stat.count))
		read_plain_counters(mm, pages);
	else
		read_percpu_counters(mm, pages);
	for (int kind = 0; kind < MM_COUNTERS; kind++)
		memory->bytes[kind] = pages[kind] < 0 ? 0 : pages[kind] * page_size_bytes;
	return 0;
}

SEC("iter/task")
int process_iterate(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct record_process record = {};
	struct process_memory memory = {};
	struct mm_struct *mm;

	if (!task)
		return 0;
	record.pid = task->tgid;
	record.thread = task->pid;
	record.minor_faults = task->min_flt;
	record.major_faults = task->maj_flt;
	if (task->pid == task->tgid) {
		mm = BPF_CORE_READ(task, mm);
		record.parent_pid = BPF_CORE_READ(task, real_parent, tgid);
		record.uid = BPF_CORE_READ(task, cred, euid.val);
		record.thread_count = BPF_CORE_READ(task, signal, nr_threads);
		record.is_kernel_thread = !!(task->flags & PF_KTHREAD);
		record.start_boottime_ns = task->start_boottime;
		record.minor_faults += BPF_CORE_READ(task, signal, min_flt);
		record.major_faults += BPF_CORE_READ(task, signal, maj_flt);
		BPF_CORE_READ_STR_INTO(&record.comm, task, comm);
		if (mm) {
			process_read_memory((__u64)mm, &memory);
			record.rss_anon_bytes = memory.bytes[MM_ANONYMOUS];
			record.rss_file_bytes = memory.bytes[MM_FILE];
			record.rss_shmem_bytes = memory.bytes[MM_SHMEM];
			record.swap_bytes = memory.bytes[MM_SWAP];
			record.peak_rss_bytes = BPF_CORE_READ(mm, hiwater_rss) * page_size_bytes;
			record.total_vm_bytes = BPF_CORE_READ(mm, total_vm) * page_size_bytes;
		}
	}
	bpf_seq_write(ctx->meta->seq, &record, sizeof(record));
	return 0;
}
