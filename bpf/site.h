/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Sites: finding or making the one that a stack belongs to, and its counters.
 */
#ifndef MEMWATCH_SITE_H
#define MEMWATCH_SITE_H

#include "stack_hash.h"
#include "thread.h"

#include <stddef.h>

#define SHORT_STACK_FRAMES    8
#define SHORTEST_STACK_FRAMES 2

/* 0 means "no site": sites are handed around as number + 1. */
static __always_inline struct record_site *site_get(__u32 handle)
{
	__u32 number = handle - 1;

	return bpf_map_lookup_elem(&sites, &number);
}

/* Sends the stack unless it was sent; when the ring buffer is full a later event tries again. */
static __always_inline void site_send_stack(struct record_site *site, __u32 number, __u32 slot,
					    struct record_target_counters *counters,
					    struct record_event_stack *stack)
{
	__u64 bytes = offsetof(struct record_event_stack, frames);
	__u32 count = stack->frame_count + stack->python_count;

	if (site->is_stack_sent || __sync_lock_test_and_set(&site->is_stack_sent, 1))
		return;
	if (count > RECORD_STACK_WORDS_MAX - 1)
		count = RECORD_STACK_WORDS_MAX - 1;
	/* The compiler may compare a copy, and the verifier of 6.1 doesn't know what that means. */
	asm volatile("" : "+r"(count));
	bytes += (count & (RECORD_STACK_WORDS_MAX - 1)) * sizeof(stack->frames[0]);
	stack->event.kind = RECORD_EVENT_STACK;
	stack->event.slot = slot;
	stack->event.account = site->account;
	stack->event.pid = bpf_get_current_pid_tgid() >> 32;
	stack->site = number;
	if (bpf_ringbuf_output(&events, stack, bytes, 0)) {
		site->is_stack_sent = 0;
		COUNT(counters->delayed_stacks);
	}
}

/*
 * Raises the mark up to which the daemon looks at the table. A few tries settle any race: whoever
 * fails does so because somebody else has raised it.
 */
static __always_inline void site_mark_used(__u32 number)
{
	struct record_host_counters *host = host_counters_get();

	for (int i = 0; host && i < 8; i++) {
		__u64 end = host->sites_end;

		if (number < end ||
		    __sync_val_compare_and_swap(&host->sites_end, end, number + 1) == end)
			return;
	}
}

/* What sites of one kind a target may have. In its counters: */
struct site_share {
	__u64 *used;
	__u64 max;
	__u64 *lost; /* counts what no site could be made for */
	void *free;  /* the map of their unused numbers */
};

/*
 * Makes the site of a stack not seen before. Returns its handle, 0 when the table is full, or the
 * target's share of it.
 */
static __always_inline __u32 site_make(const struct record_site_key *key,
				       const struct site_share *share)
{
	struct record_site *site;
	__u32 number;

	if (*share->used >= share->max)
		return 0;
	if (bpf_map_pop_elem(share->free, &number))
		return 0;
	site = bpf_map_lookup_elem(&sites, &number);
	if (!site)
		return 0;
	site_mark_used(number);
	site->account = key->account;
	site->stack_hash = key->stack_hash;
	site->first_ns = bpf_ktime_get_ns();
	if (!bpf_map_update_elem(&site_index, key, &number, BPF_NOEXIST)) {
		COUNT(*share->used);
		return number + 1;
	}
	/* Another thread was faster, or there was no memory for the index. */
	site->account = 0;
	bpf_map_push_elem(share->free, &number, 0);
	__u32 *found = bpf_map_lookup_elem(&site_index, key);

	return found ? *found + 1 : 0;
}

/*
 * How many frames of new stacks are kept, so that the rest of the table lasts: a program with
 * more different stacks than that is still known by who allocates, and by who calls that.
 */
static __always_inline __u32 site_frames_max(__u64 sites, __u64 sites_max)
{
	if (sites < sites_max - sites_max / 4)
		return RECORD_STACK_FRAMES_MAX;
	return sites < sites_max - sites_max / 8 ? SHORT_STACK_FRAMES : SHORTEST_STACK_FRAMES;
}

/*
 * Cuts the stack to so many native and so many Python frames, if it has more; returns the hash of
 * what is left. frames_max is RECORD_STACK_FRAMES_MAX or one of the short ones.
 */
__weak __noinline __u64 site_shorten(struct record_event_stack *stack, __u64 hash, __u32 frames_max)
{
	__u32 native_count;

	if (!stack)
		return hash;
	native_count = stack->frame_count;

	if (frames_max > SHORT_STACK_FRAMES ||
	    (native_count <= frames_max && stack->python_count <= frames_max))
		return hash;
	if (native_count > frames_max)
		stack->frame_count = frames_max;
	if (stack->python_count > frames_max)
		stack->python_count = frames_max;
	stack->end = RECORD_STACK_END_SHORTENED;
	hash = stack_hash_begin();
	for (__u32 i = 0; i < 2 * SHORT_STACK_FRAMES; i++) {
		__u32 from = i;

		if (i >= stack->frame_count + stack->python_count)
			break;
		if (i >= stack->frame_count)
			from += native_count - stack->frame_count;
		asm volatile("" : "+r"(from));
		stack->frames[i] = stack->frames[from & (RECORD_STACK_WORDS_MAX - 1)];
		hash = stack_hash_add(hash, stack->frames[i]);
	}
	return stack_hash_add(hash, stack->end);
}

/*
 * The site of state->stack, whose hash is given, in the account: its handle. When none can be made
 * it is the account's overflow site, so that totals stay right. 0: not even that.
 */
static __always_inline __u32 site_find(struct thread_state *state, __u64 stack_hash, __u32 slot,
				       __u32 account, const struct site_share *share,
				       struct record_target_counters *counters)
{
	struct record_site_key key = {.stack_hash = stack_hash, .account = account};
	__u32 *found = bpf_map_lookup_elem(&site_index, &key);
	struct record_site *site;
	__u32 handle;

	if (!found && *share->used >= share->max - share->max / 4) {
		key.stack_hash = site_shorten(&state->stack, stack_hash,
					      site_frames_max(*share->used, share->max));
		found = bpf_map_lookup_elem(&site_index, &key);
	}
	handle = found ? *found + 1 : site_make(&key, share);
	if (!handle) {
		COUNT(*share->lost);
		handle = counters->overflow_site;
	}
	site = site_get(handle);
	if (!site || site->account != account)
		return 0;
	if (handle != counters->overflow_site)
		site_send_stack(site, handle - 1, slot, counters, &state->stack);
	return handle;
}

/*
 * bytes came to (> 0) or went from (< 0) what is outstanding of a generation. A slot of the ring is
 * taken over by a newer generation at its first block; what remains of the older one then belongs
 * to older_bytes. Two CPUs that disagree for an instant about the current generation can book a
 * block one slot off; the sum stays right.
 */
static __always_inline void site_add_generation(struct record_site *site, __u32 generation,
						__s64 bytes)
{
	__u32 slot = generation & (RECORD_GENERATIONS - 1);
	__u32 holder = site->generation_number[slot];

	if (holder != generation && bytes > 0 && (__s32)(generation - holder) > 0) {
		if (__sync_val_compare_and_swap(&site->generation_number[slot], holder,
						generation) == holder) {
			__s64 rest = __sync_lock_test_and_set(&site->generation_bytes[slot], 0);

			__sync_fetch_and_add(&site->older_bytes, rest);
		}
		holder = generation;
	}
	if (holder == generation)
		__sync_fetch_and_add(&site->generation_bytes[slot], bytes);
	else
		__sync_fetch_and_add(&site->older_bytes, bytes);
}

static __always_inline __u64 block_objects(const struct record_block *block)
{
	if (block->weight_bytes == block->size_bytes)
		return RECORD_OBJECT_UNIT;
	return block->weight_bytes * RECORD_OBJECT_UNIT / block->size_bytes;
}

static __always_inline __u64 block_variance(const struct record_block *block)
{
	__u64 excess = block->weight_bytes - block->size_bytes;

	/* Of our own samples none weighs less than its size: see bpf/contract.h. */
	__u64 variance = block->weight_bytes < block->size_bytes ? -excess * -excess
								 : block->weight_bytes * excess;

	/* Rounded to the nearest, not down: at short intervals it is few units. */
	return (variance + (1ULL << (RECORD_VARIANCE_SHIFT - 1))) >> RECORD_VARIANCE_SHIFT;
}

static __always_inline void site_add_block(struct record_site *site,
					   const struct record_block *block)
{
	__sync_fetch_and_add(&site->allocated_bytes, block->weight_bytes);
	__sync_fetch_and_add(&site->allocated_objects, block_objects(block));
	if (block->weight_bytes != block->size_bytes) {
		__sync_fetch_and_add(&site->outstanding_variance, block_variance(block));
		site->is_estimated = 1;
	}
	site_add_generation(site, block->generation, block->weight_bytes);
}

static __always_inline void site_remove_block(struct record_site *site,
					      const struct record_block *block)
{
	__sync_fetch_and_add(&site->freed_bytes, block->weight_bytes);
	__sync_fetch_and_add(&site->freed_objects, block_objects(block));
	if (block->weight_bytes != block->size_bytes)
		__sync_fetch_and_add(&site->outstanding_variance, -block_variance(block));
	site_add_generation(site, block->generation, -(__s64)block->weight_bytes);
}

/* As if the block had never been: an inner call's block that the outer call turned out to own. */
static __always_inline void site_undo_block(struct record_site *site,
					    const struct record_block *block)
{
	__sync_fetch_and_add(&site->allocated_bytes, -block->weight_bytes);
	__sync_fetch_and_add(&site->allocated_objects, -block_objects(block));
	if (block->weight_bytes != block->size_bytes)
		__sync_fetch_and_add(&site->outstanding_variance, -block_variance(block));
	site_add_generation(site, block->generation, -(__s64)block->weight_bytes);
}

#endif
