/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Contract probes: a process that samples its own heap says so by USDT probes, and these stand in
 * for its malloc.
 *
 * The contract is OpenTelemetry's (design-docs/00003-memory-profiling of
 * open-telemetry/opentelemetry-ebpf-profiler, July 2026): otel_memory:alloc(pointer, size, weight)
 * on a sampled allocation, otel_memory:free(pointer) on the free of a sampled one, and on no other.
 * weight is the unbiased estimate of the bytes that the sample stands for, size / P(sampled), so
 * that the weights' sum has the allocated bytes as its expectation; the objects it stands for are
 * weight / size. All of them are 64 bits wide in the prototypes there; here they are as wide as the
 * probe's note says.
 *
 * A process's word is all that there is. Whatever the process draws by, as long as its weights are
 * unbiased and blocks are drawn independently, weight * (weight - size) is an unbiased estimate of
 * the variance that a block adds: E[w^2] - size * E[w] = E[w^2] - E[w]^2. Of a sampler by the
 * formula above it is never negative. Others (those that count how many intervals a block spans)
 * can weigh a block at less than its size: then (size - weight)^2 is taken, the block's known
 * error, so that the stated error is too large rather than too small.
 */
#ifndef MEMWATCH_CONTRACT_H
#define MEMWATCH_CONTRACT_H

#include "block.h"
#include "pending.h"

/* A user address space, and what a block can be therefore. */
#define CONTRACT_BYTES_MAX (1ULL << 47)
/* No interval is so long that a byte stands for a GiB. */
#define CONTRACT_OBJECTS_SHIFT_MAX 30
/*
 * No block adds more variance than this (bytes^2), by a sampler that keeps to the formula not even
 * at an interval of 2 GiB: size^2 * (1 - P) / P^2 is at most the interval's square.
 */
#define CONTRACT_VARIANCE_MAX (1ULL << 62)
/* Sums end here, so that with what other threads add meanwhile they fit 63 bits. */
#define CONTRACT_SUM_MAX          (1ULL << 62)
#define CONTRACT_VARIANCE_SUM_MAX (1ULL << 61)

static __always_inline bool usdt_register(const struct call *call, __u8 offset, __u64 *value)
{
	/* The verifier refuses a chosen offset into the context: it is read as kernel memory. */
	if (offset > sizeof(struct pt_regs) - sizeof(*value))
		return false;
	return !bpf_probe_read_kernel(value, sizeof(*value), (void *)call->ctx + offset);
}

static __always_inline bool
usdt_argument(const struct call *call, const struct record_usdt_argument *argument, __u64 *result)
{
	__u64 value = argument->constant, part, address;
	__u64 size_bytes = argument->size_bytes;
	__u32 cut_bits;

	/* Else the compiler checks a copy, and the verifier doesn't see that it is the same. */
	asm volatile("" : "+r"(size_bytes));
	if (!size_bytes || size_bytes > sizeof(value))
		return false;
	if (argument->base != RECORD_REGISTER_NONE) {
		if (!usdt_register(call, argument->base, &part))
			return false;
		value += part;
	}
	if (argument->index != RECORD_REGISTER_NONE) {
		if (!usdt_register(call, argument->index, &part))
			return false;
		value += part << (argument->scale_shift & 3);
	}
	if (argument->is_memory) {
		address = value;
		value = 0;
		if (bpf_probe_read_user(&value, size_bytes, (void *)address))
			return false;
	}
	cut_bits = 64 - 8 * size_bytes;
	value <<= cut_bits;
	*result = argument->is_signed ? (__u64)((__s64)value >> cut_bits) : value >> cut_bits;
	return true;
}

/* Reads count arguments; a failure is counted. */
static __always_inline bool usdt_read(const struct call *call, __u64 *values, __u32 count)
{
	__u32 index = RECORD_COOKIE_USDT(call->cookie);
	const struct record_usdt_arguments *found = bpf_map_lookup_elem(&usdt_arguments, &index);

	for (__u32 i = 0; i < count; i++) {
		if (!found || !usdt_argument(call, &found->arguments[i], &values[i])) {
			COUNT(call->counters->lost_blocks_error);
			return false;
		}
	}
	return true;
}

/* Whether it can be, and the sums of so many as fit the block map stay within 64 bits. */
static __always_inline bool contract_is_possible(const struct record_block *block)
{
	__u64 size = block->size_bytes, weight = block->weight_bytes;
	__u64 difference = weight > size ? weight - size : size - weight;

	if (!weight || weight > CONTRACT_BYTES_MAX || size > CONTRACT_BYTES_MAX)
		return false;
	if (weight >> CONTRACT_OBJECTS_SHIFT_MAX > size)
		return false;
	return difference <= CONTRACT_VARIANCE_MAX / (weight > size ? weight : difference | 1);
}

static __always_inline bool contract_has_room(const struct call *call,
					      const struct record_site *site)
{
	return call->counters->reported_bytes < CONTRACT_SUM_MAX &&
	       site->allocated_objects < CONTRACT_SUM_MAX &&
	       (__s64)site->outstanding_variance < (__s64)CONTRACT_VARIANCE_SUM_MAX;
}

/*
 * The probe lies in the midst of a function, where the instruction pointer is no return address:
 * one byte further, so that it reads like one, by whose call lies before it.
 */
static __always_inline __u32 contract_site(const struct call *call, struct thread_state *state)
{
	struct unwind_start start =
		unwind_at_return(call, PT_REGS_IP(call->ctx) + 1, PT_REGS_SP(call->ctx));
	__u64 hash = unwind_take(call, &start, state);
	__u32 handle;

	hash = python_take(call, state, hash);
	handle = block_site(call, state, hash);
	unwind_count(call, state);
	return handle;
}

static __always_inline void contract_allocate(const struct call *call)
{
	struct record_block block = {.generation = call->control->generation};
	struct thread_state *state;
	struct record_site *site;
	__u64 values[3] = {}; /* pointer, size, weight */

	if (!usdt_read(call, values, 3))
		return;
	/* An empty block is taken for one byte, as in our own sampling. */
	block.size_bytes = values[1] ? values[1] : 1;
	block.weight_bytes = values[2];
	if (!values[0] || !contract_is_possible(&block)) {
		COUNT(call->counters->invalid_samples);
		return;
	}
	COUNT(call->hits->samples);
	state = thread_state_get(call, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (state)
		block.site = contract_site(call, state);
	site = site_get(block.site);
	if (!state || !site) {
		COUNT(call->counters->lost_blocks_error);
		return;
	}
	if (!contract_has_room(call, site)) {
		COUNT(call->counters->invalid_samples);
		return;
	}
	if (!block_enter(call, state, values[0], &block))
		return;
	__sync_fetch_and_add(&call->counters->reported_bytes, block.weight_bytes);
	site_add_block(site, &block);
}

static __always_inline void contract_free(const struct call *call)
{
	struct record_block block;
	__u64 address = 0;

	if (!usdt_read(call, &address, 1))
		return;
	if (block_take(call, address, &block))
		block_count_freed(&block);
	else
		COUNT(call->counters->unknown_frees);
}

static __always_inline int enter_contract(const struct call *call, __u32 operation)
{
	if (operation == RECORD_OPERATION_CONTRACT_ALLOCATE) {
		COUNT(call->hits->allocations);
		contract_allocate(call);
	} else {
		COUNT(call->hits->frees);
		contract_free(call);
	}
	return SKIP_RETURN;
}

#endif
