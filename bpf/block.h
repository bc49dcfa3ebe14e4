/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Outstanding blocks: into the map and out of it, each with its site told. */
#ifndef MEMWATCH_BLOCK_H
#define MEMWATCH_BLOCK_H

#include "call.h"
#include "python.h"
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

/* Global, as is each function here that many ways lead to: the verifier looks at it just once. */
__weak __noinline int block_count_freed(const struct record_block *block)
{
	struct record_site *site = block ? site_get(block->site) : NULL;

	if (site)
		site_remove_block(site, block);
	return 0;
}

/*
 * An address came back that we hold as outstanding. Either a nested call returned it first, then
 * the block is the outer call's; or we missed its free.
 */
__weak __noinline int block_replace(struct record_target_counters *counters, __u64 address,
				    __u32 account, __u32 is_inner)
{
	struct record_block_key key = {.address = address, .account = account};
	struct record_block *found = bpf_map_lookup_elem(&blocks, &key);
	struct record_block old;
	struct record_site *site;

	if (!found || !counters)
		return 0;
	old = *found;
	if (bpf_map_delete_elem(&blocks, &key))
		return 0;
	__sync_fetch_and_add(&counters->blocks, -1);
	if (!is_inner)
		COUNT(counters->missed_frees);
	site = site_get(old.site);
	if (!site)
		return 0;
	if (is_inner)
		site_undo_block(site, &old);
	else
		site_remove_block(site, &old);
	return 0;
}

/* Enters the block into the map. Returns whether it is there; if not, the loss was counted. */
static __always_inline bool block_enter(const struct call *call, struct thread_state *state,
					__u64 address, const struct record_block *block)
{
	struct record_block_key key = {.address = address, .account = call->account};
	/* Not long: before 6.4 the kernel sets the low half of the register alone. */
	int error;

	if (call->counters->blocks >= (__s64)call->control->blocks_max) {
		COUNT(call->counters->lost_blocks_share_full);
		return false;
	}
	error = bpf_map_update_elem(&blocks, &key, block, BPF_NOEXIST);
	if (error == -EEXIST) {
		block_replace(call->counters, address, call->account,
			      state->inner_address == address);
		error = bpf_map_update_elem(&blocks, &key, block, BPF_ANY);
	}
	if (error) {
		COUNT(call->counters->lost_blocks_map_full);
		return false;
	}
	__sync_fetch_and_add(&call->counters->blocks, 1);
	return true;
}

/* The site of the stack that was taken, whose hash is given. */
static __always_inline __u32 block_site(const struct call *call, struct thread_state *state,
					__u64 hash)
{
	struct record_target_counters *counters = call->counters;
	struct site_share share = {.used = &counters->sites,
				   .max = call->control->sites_max,
				   .lost = &counters->lost_sites,
				   .free = &free_sites};

	return site_find(state, hash, call->slot, call->account, &share, counters);
}

/* The site of this call's stack: its handle, 0 when there is none. */
static __always_inline __u32 call_site(const struct call *call, struct thread_state *state)
{
	__u64 return_address = PT_REGS_IP(call->ctx), stack_pointer = PT_REGS_SP(call->ctx), hash;
	struct unwind_start start;
	__u32 handle;

	/* At an exit it is still on the stack; unreadable, the allocator itself stands for it. */
	if (call->is_exit && bpf_probe_read_user(&hash, sizeof(hash), (void *)stack_pointer) == 0)
		return_address = hash;
	stack_pointer += sizeof(__u64) * call->is_exit;
	start = unwind_at_return(call, return_address, stack_pointer);
	hash = unwind_take(call, &start, state);
	hash = python_take(call, state, hash);
	handle = block_site(call, state, hash);
	unwind_count(call, state);
	return handle;
}

/*
 * The last block that a nested call returned holds this one, which begins further in: an allocator
 * that aligns by hand, or puts a header before each block. It is the outer call's block.
 */
static __always_inline void block_take_over_inner(const struct call *call,
						  struct thread_state *state, __u64 address)
{
	__u64 inner = state->inner_address;

	if (inner && address > inner && address - inner < state->inner_bytes)
		block_replace(call->counters, inner, call->account, true);
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
	block_take_over_inner(call, state, address);
	if (!block_enter(call, state, address, &block))
		return;
	site_add_block(site, &block);
	if (pending->is_nested) {
		state->inner_address = address;
		state->inner_bytes = block.size_bytes;
	}
}

#endif
