/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Deletes what ended accounts left in the tables; run by the daemon. In the kernel, because a
 * million blocks would cost user space a million system calls.
 */
#include "kernel_types.h"
#include "maps.h"

/* Accounts that have ended and whose entries are to go. Written by the daemon. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, __u32);
} ended_accounts SEC(".maps");

struct bpf_map;

static long purge_block(struct bpf_map *map, struct record_block_key *key,
			struct record_block *block, void *context)
{
	if (bpf_map_lookup_elem(&ended_accounts, &key->account))
		bpf_map_delete_elem(&blocks, key);
	return 0;
}

static long purge_site(struct bpf_map *map, struct record_site_key *key, __u32 *number,
		       void *context)
{
	if (bpf_map_lookup_elem(&ended_accounts, &key->account))
		bpf_map_delete_elem(&site_index, key);
	return 0;
}

SEC("syscall")
int purge_ended_accounts(void *ctx)
{
	bpf_for_each_map_elem(&blocks, purge_block, 0, 0);
	bpf_for_each_map_elem(&site_index, purge_site, 0, 0);
	return 0;
}
