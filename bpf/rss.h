/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The maps of the RSS profile, and where a target's memory begins to be followed. */
#ifndef MEMWATCH_RSS_H
#define MEMWATCH_RSS_H

#include "maps.h"
#include "process.h"
#include "rss_interval.h"

#include <bpf/bpf_core_read.h>

/* Growth and shrinkage of each kind have sums of their own. A power of two of places. */
#define RSS_SUMS            8
#define RSS_SUM(kind, sign) ((kind)*2 + (sign))

/* Bytes on the way to the next sample. */
struct rss_sum {
	__u64 bytes;
	__u64 distance_bytes;
};

/* What one CPU does to one target's memory. Nobody else writes to it. */
struct rss_part {
	__u64 cpu_offset; /* from a per-CPU address to this CPU's instance */
	/* Pages, as of the last change: what the kernel counts for this CPU apart. */
	__s32 counted_pages[RECORD_RSS_KINDS];
	__u32 zero;
	struct rss_sum sums[RSS_SUMS];
};

/* By slot. Written by probes, read by the daemon. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct record_rss_space);
} rss_spaces SEC(".maps") __weak;

/* By slot and CPU. Size set at load. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct rss_part);
} rss_parts SEC(".maps") __weak;

/*
 * Slots by the kernel's memory of a process. Written by probes; entries are deleted by the daemon
 * as a watch ends, and by an exec. A target has one: it is never full. Size set at load.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, __u64);
	__type(value, __u32);
} rss_slots SEC(".maps") __weak;

#define RSS_FILTER_BITS 10

/*
 * 1 where rss_slots may have an entry, by where the process maps: what others do, unless they are
 * its forks, costs no more than a look here. Cleared by the daemon when nothing is watched. (By a
 * hash of the key would be better, but with a kernel's pointer the verifier allows no arithmetic.)
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1U << RSS_FILTER_BITS);
	__type(key, __u32);
	__type(value, __u8);
} rss_filter SEC(".maps") __weak;

static __always_inline __u8 *rss_filter_of(__u64 mmap_base)
{
	__u32 index = mmap_base * 0x9e3779b97f4a7c15ULL >> (64 - RSS_FILTER_BITS);

	return bpf_map_lookup_elem(&rss_filter, &index);
}

/* Before 6.2 a tracepoint tells the sum itself, which is the only count. */
static __always_inline bool rss_is_counted_by_cpu(void)
{
	return !bpf_core_field_exists(((struct mm_struct___before_6_2 *)0)->rss_stat.count);
}

static __always_inline __u32 rss_member(__u32 kind)
{
	return kind == RECORD_RSS_FILE        ? MM_FILE
	       : kind == RECORD_RSS_ANONYMOUS ? MM_ANONYMOUS
					      : MM_SHMEM;
}

#endif
