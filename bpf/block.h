/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Outstanding blocks: into the map and out of it, each with its site told. */
#ifndef MEMWATCH_BLOCK_H
#define MEMWATCH_BLOCK_H

#include "call.h"
#include "site.h"
#include "unwind.h"

/* Takes the block out of the map without telling its site. */
static __always_inline bool block_take(const struct call *call, __u64 address,
				       struct record_block *block)
{
	struct record_block_key key = {.address = address, .account = call->account};
	struct record_block *found = bpf_map_lookup_elem(&blocks, &key);

	if (!found)
		return false;
	*block = *found;
	if (bpf_map_delete_elem(&blocks, &key))
		return false; /* another thread freed it at the same time */
	__sync_fetch_and_add(&call->counters->blocks, -1);
	return true;
}

static __always_inline void block_count_freed(const struct record_block *block)
{
	struct record_site *site = site_get(block->site);

	if (site)
		site_remove_block(site, block);
}

/*
 * An address came back that we hold as outstanding. Either a nested call returned it first, then
 * the block is the outer call's; or we missed its free.
 */
static __always_inline void block_replace(const struct call *call, struct thread_state *state,
					  const struct record_block_key *key)
{
	struct record_block *found = bpf_map_lookup_elem(&blocks, key);
	struct record_block old;
	struct record_site *site;

	if (!found)
		return;
	old = *found;
	if (bpf_map_delete_elem(&blocks, key))
		return;
	__sync_fetch_and_add(&call->counters->blocks, -1);
	site = site_get(old.site);
	if (!site)
		return;
	if (state->inner_address == key->address) {
		site_undo_block(site, &old);
	} else {
		COUNT(call->counters->missed_frees);
		site_remove_block(site, &old);
	}
}

/* Enters the block into the map. Returns whether it is there; if not, the loss was counted. */
static __always_inline bool block_enter(const struct call *call, struct thread_state *state,
					__u64 address, const struct record_block *block)
{
	struct record_block_key key = {.address = address, .account = call->account};
	long error;

	if (call->counters->blocks >= (__s64)call->control->blocks_max) {
		COUNT(call->counters->lost_blocks_share_full);
		return false;
	}
	error = bpf_map_update_elem(&blocks, &key, block, BPF_NOEXIST);
	if (error == -EEXIST) {
		block_replace(call, state, &key);
		error = bpf_map_update_elem(&blocks, &key, block, BPF_ANY);
	}
	if (error) {
		COUNT(call->counters->lost_blocks_map_full);
		return false;
	}
	__sync_fetch_and_add(&call->counters->blocks, 1);
	return true;
}

/* The site of this call's stack: its handle, 0 when there is none. */
static __always_inline __u32 call_site(const struct call *call, struct thread_state *state)
{
	__u64 hash = unwind_take(call->ctx, state);

	if (state->stack.frame_count == RECORD_STACK_FRAMES_MAX)
		COUNT(call->counters->truncated_stacks);
	return site_find(state, hash, call->slot, call->account, call->control->sites_max,
			 call->counters);
}

static __always_inline void block_born(const struct call *call, struct thread_state *state,
				       const struct pending_call *pending, __u64 address)
{
	struct record_block block = {.size_bytes = pending->size_bytes,
				     .weight_bytes = pending->weight_bytes,
				     .generation = call->control->generation};
	struct record_site *site;

	/* Sampling takes an empty block for one byte, or else it could never be drawn. */
	if (!block.size_bytes && block.weight_bytes)
		block.size_bytes = 1;
	if (!call_is_exact(call))
		COUNT(call->hits->samples);
	block.site = call_site(call, state);
	site = site_get(block.site);
	if (!site) {
		COUNT(call->counters->lost_blocks_error);
		return;
	}
	if (!block_enter(call, state, address, &block))
		return;
	site_add_block(site, &block);
	if (pending->is_nested)
		state->inner_address = address;
}

#endif
