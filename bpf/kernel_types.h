/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The few kernel structs that the programs read, by name and with only the fields they use. libbpf
 * finds the real offsets in the running kernel's BTF when it loads the programs (CO-RE); no BTF is
 * needed to build. A ___suffix marks how a struct looked in some kernels; the rest of its name
 * counts.
 */
#ifndef MEMWATCH_KERNEL_TYPES_H
#define MEMWATCH_KERNEL_TYPES_H

#include <linux/bpf.h>
#include <linux/ptrace.h>
#include <linux/types.h>

typedef _Bool bool;
#define true 1
#define false 0

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct {
	int counter;
} atomic_t;

typedef struct {
	__s64 counter;
} atomic_long_t;

struct percpu_counter {
	__s64 count;
	__s32 *counters;
};

struct mm_struct {
	struct percpu_counter rss_stat[4]; /* since 6.2: file, anon, swap, shmem */
	atomic_long_t pgtables_bytes;
	unsigned long hiwater_rss;
	unsigned long total_vm;
	unsigned long task_size;
	unsigned long mmap_base;
};

/* A map of one value for each CPU begins with where they are, as a per-CPU address. */
struct bpf_array {
	void *pptrs[1];
};

struct mm_rss_stat {
	atomic_long_t count[4];
};

struct mm_struct___before_6_2 {
	struct mm_rss_stat rss_stat;
};

struct mm_struct___before_6_18 {
	unsigned long flags;
};

typedef struct {
	unsigned long __mm_flags[1];
} mm_flags_t;

struct mm_struct___since_6_18 {
	mm_flags_t flags;
};

typedef struct {
	__u32 val;
} kuid_t;

struct cred {
	kuid_t euid;
};

struct signal_struct {
	atomic_t live;
	int nr_threads;
	unsigned int flags;
	struct task_struct *group_exec_task; /* since 5.16 */
	unsigned long min_flt;
	unsigned long maj_flt;
	short oom_score_adj;
};

struct kernfs_node {
	const char *name;
};

struct kernfs_node___since_6_15 {
	struct kernfs_node *__parent;
};

struct kernfs_node___before_6_15 {
	struct kernfs_node *parent;
};

struct cgroup {
	struct kernfs_node *kn;
};

struct cgroup_subsys_state {
	struct cgroup *cgroup;
};

struct css_set {
	struct cgroup_subsys_state *subsys[16];
	struct cgroup *dfl_cgrp;
};

/* A return address that was replaced by that of the uprobes' trampoline. */
struct return_instance {
	unsigned long stack; /* where it was */
	unsigned long orig_ret_vaddr;
	bool chained; /* it was replaced before, by the next one in the list */
	struct return_instance *next;
};

struct uprobe_task {
	struct return_instance *return_instances;
};

struct thread_struct {
	unsigned long fsbase;
};

struct task_struct {
	int pid;
	int tgid;
	unsigned int flags;
	unsigned long sas_ss_sp;
	unsigned long sas_ss_size;
	unsigned long min_flt;
	unsigned long maj_flt;
	__u64 start_boottime;
	struct mm_struct *mm;
	struct signal_struct *signal;
	struct task_struct *real_parent;
	const struct cred *cred;
	struct css_set *cgroups;
	struct uprobe_task *utask;
	struct thread_struct thread;
	char comm[16];
};

struct linux_binprm;

struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
};

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
};

/* Its fields beyond pid came with 6.9, when the tracepoint began to pass the task itself. */
struct trace_event_raw_mark_victim___since_6_9 {
	unsigned long total_vm;
};

#pragma clang attribute pop

enum cgroup_subsys_id {
	memory_cgrp_id = 4, /* relocated: the number depends on the kernel's configuration */
};

enum {
	MM_FILE = 0,
	MM_ANONYMOUS = 1,
	MM_SWAP = 2,
	MM_SHMEM = 3,
	MM_COUNTERS = 4,
};

#define PF_KTHREAD 0x00200000
#define EEXIST     17

#endif
