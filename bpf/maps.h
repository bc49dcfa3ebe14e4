/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The maps. Each is defined weak here, so that every program file may use it and the linked object
 * holds it once. Sizes marked "set at load" come from the daemon's configuration.
 */
#ifndef MEMWATCH_MAPS_H
#define MEMWATCH_MAPS_H

#include "kernel_types.h"
#include "record.h"

#include <bpf/bpf_helpers.h>

/*
 * Outstanding blocks. Written by probes. Bounded by blocks_max (set at load) and each target's
 * share of it. Full: the block is not accounted and counted as lost_blocks_map_full.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct record_block_key);
	__type(value, struct record_block);
} blocks SEC(".maps") __weak;

/*
 * Sites by number. Written by probes, read by the daemon through a shared mapping, zeroed by the
 * daemon before a number is used again. Bounded by sites_max (set at load).
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct record_site);
} sites SEC(".maps") __weak;

/*
 * Numbers of unused sites, the lowest on top at first, so that those in use stay together at the
 * beginning of the table. Filled by the daemon. Empty: see lost_sites.
 */
struct {
	__uint(type, BPF_MAP_TYPE_STACK);
	__uint(max_entries, 1);
	__type(value, __u32);
} free_sites SEC(".maps") __weak;

/*
 * The same of those that are kept for the RSS profile: the lowest of all, so that it takes none
 * from allocations, nor from those of other targets. Empty: see lost_rss_sites.
 */
struct {
	__uint(type, BPF_MAP_TYPE_STACK);
	__uint(max_entries, 1);
	__type(value, __u32);
} free_rss_sites SEC(".maps") __weak;

/* Site numbers by account and stack. Never fuller than sites; entries are deleted by the daemon. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct record_site_key);
	__type(value, __u32);
} site_index SEC(".maps") __weak;

/* By slot. Written by the daemon through a shared mapping. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct record_target_control);
} target_controls SEC(".maps") __weak;

/* By slot. Written by probes, read by the daemon, who resets it when a slot is given out. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct record_target_counters);
} target_counters SEC(".maps") __weak;

/*
 * Where USDT probes find their arguments; their cookies hold the index. Written by the daemon,
 * which refuses to attach a probe for which there is no room.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, RECORD_USDT_DESCRIPTIONS_MAX);
	__type(key, __u32);
	__type(value, struct record_usdt_arguments);
} usdt_arguments SEC(".maps") __weak;

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct record_target_hits);
} target_hits SEC(".maps") __weak;

/* Slots by thread group, for the lifecycle programs. Written by the daemon. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, RECORD_TARGETS_MAX);
	__type(key, __u32);
	__type(value, __u32);
} target_slots SEC(".maps") __weak;

/* Events to the daemon. Full: each sender counts its loss by name. Size set at load. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 65536);
} events SEC(".maps") __weak;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct record_host_counters);
} host_counters SEC(".maps") __weak;

/* The last account number given out; numbers are never used twice while the programs live. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, __u32);
} last_account SEC(".maps") __weak;

#define COUNT(counter) __sync_fetch_and_add(&(counter), 1)

static __always_inline struct record_host_counters *host_counters_get(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&host_counters, &zero);
}

#endif
