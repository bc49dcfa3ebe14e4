/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The probe on every allocator function: one program, told by its cookie what the function means.
 *
 * It runs at the function's entry and, unless it says there that it needn't, at its return. The
 * outermost call owns the block: an inner call's block with the same address is handed to it.
 */
#include "kernel_types.h"
#include "maps.h"
#include "sample.h"
#include "site.h"
#include "thread.h"
#include "unwind.h"

#include <bpf/bpf_core_read.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

extern bool bpf_session_is_return(void) __ksym __weak;

/* What the entry program answers to the kernel: whether the return is to be probed. */
enum { PROBE_RETURN = 0, SKIP_RETURN = 1 };

/*
 * glibc's smallest M_MMAP_THRESHOLD: a larger block may be mapped inside malloc, so such a call is
 * followed to its end even when it isn't sampled; or else that mapping would count as the
 * program's.
 */
#define ALLOCATOR_MAPS_FROM_BYTES (128 << 10)

/* A size that no allocator can serve: the overflow of size * count. */
#define SIZE_OVERFLOW (~0ULL)

#define PAGE_BYTES 4096ULL
#define PROT_NONE  0

struct call {
	struct pt_regs *ctx;
	__u64 cookie;
	__u32 slot;
	__u32 account;
	struct record_target_control *control;
	struct record_target_counters *counters;
};

/* The verifier refuses a chosen offset into the context: each register is read by itself. */
#define RETURN_ARGUMENT(register)               \
	do {                                    \
		__u64 value = register;         \
		asm volatile("" : "+r"(value)); \
		return value;                   \
	} while (0)

static __always_inline __u64 call_argument(const struct call *call, __u32 number)
{
	switch (number) {
	case 0:
		RETURN_ARGUMENT(PT_REGS_PARM1(call->ctx));
	case 1:
		RETURN_ARGUMENT(PT_REGS_PARM2(call->ctx));
	case 2:
		RETURN_ARGUMENT(PT_REGS_PARM3(call->ctx));
	case 3:
		RETURN_ARGUMENT(PT_REGS_PARM4(call->ctx));
	case 4:
		RETURN_ARGUMENT(PT_REGS_PARM5(call->ctx));
	default:
		return 0;
	}
}

/* (a * b), or SIZE_OVERFLOW; BPF has no 128-bit product. */
static __always_inline __u64 multiply_sizes(__u64 a, __u64 b)
{
	__u64 low = (a & ~0U) * (b & ~0U), high;

	if (a >> 32 && b >> 32)
		return SIZE_OVERFLOW;
	high = (a >> 32) * (b & ~0U) + (b >> 32) * (a & ~0U) + (low >> 32);
	if (high >> 32)
		return SIZE_OVERFLOW;
	return high << 32 | (low & ~0U);
}

static __always_inline __u64 call_size_bytes(const struct call *call)
{
	__u64 size = call_argument(call, RECORD_COOKIE_SIZE(call->cookie));
	__u32 count = RECORD_COOKIE_COUNT(call->cookie);

	if (count != RECORD_ARGUMENT_NONE)
		size = multiply_sizes(size, call_argument(call, count));
	if (RECORD_COOKIE_FLAGS(call->cookie) & RECORD_FUNCTION_PAGE_ROUNDED &&
	    size < SIZE_OVERFLOW - PAGE_BYTES)
		size = (size + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1);
	return size;
}

/* ---- Blocks ---- */

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
	return site_find(state, hash, call->slot, call->account, call->counters);
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

/* ---- Calls under way ---- */

/* The calls above depth will never return here; what they took out of the map is gone. */
static __always_inline void pending_abandon(const struct call *call, struct thread_state *state,
					    __u32 depth)
{
	for (__u32 i = 0; i < PENDING_CALLS_MAX; i++) {
		if (i < depth || i >= state->depth)
			continue;
		COUNT(call->counters->abandoned_calls);
		if (state->pending[i].has_old)
			block_count_freed(&state->pending[i].old);
	}
	state->depth = depth;
}

/*
 * Makes room for a call whose stack pointer is stack_pointer: calls that were entered from the same
 * stack further down (longjmp, a C++ exception, an ended coroutine) have been left for good. A call
 * at the very same place is either such a one or our caller by tail call; both give way to this
 * one.
 */
static __always_inline void pending_unwind(const struct call *call, struct thread_state *state,
					   __u64 stack_pointer, struct pending_call *tail_caller)
{
	struct task_struct *task = bpf_get_current_task_btf();
	bool is_on_signal_stack = thread_is_on_signal_stack(task, stack_pointer);
	__u32 depth = state->depth;

	for (__u32 i = 0; i < PENDING_CALLS_MAX; i++) {
		struct pending_call *pending;

		if (i >= state->depth)
			break;
		pending = &state->pending[i];
		if (thread_is_on_signal_stack(task, pending->stack_pointer) != is_on_signal_stack ||
		    pending->stack_pointer > stack_pointer)
			continue;
		depth = i;
		if (pending->stack_pointer == stack_pointer && i + 1 == state->depth) {
			*tail_caller = *pending;
			state->depth = depth;
			return;
		}
		break;
	}
	if (depth < state->depth)
		pending_abandon(call, state, depth);
}

static __always_inline struct thread_state *thread_state_get(const struct call *call, __u64 flags)
{
	struct thread_state *state =
		bpf_task_storage_get(&thread_states, bpf_get_current_task_btf(), NULL, flags);

	if (!state || state->account == call->account)
		return state;
	state->account = call->account;
	state->depth = 0;
	state->inner_address = 0;
	state->bytes_until_sample = sample_distance_bytes(bpf_get_prandom_u32(),
							  call->control->sampling_interval_bytes);
	return state;
}

/* What a block of this size stands for, 0 when it isn't sampled. */
static __always_inline __u64 sample_block(const struct call *call, struct thread_state *state,
					  __u64 size_bytes)
{
	__u64 interval_bytes = call->control->sampling_interval_bytes;

	if (size_bytes >= interval_bytes || interval_bytes <= 1)
		return size_bytes;
	if (!size_bytes)
		size_bytes = 1;
	state->bytes_until_sample -= size_bytes;
	if (state->bytes_until_sample > 0)
		return 0;
	state->bytes_until_sample = sample_distance_bytes(bpf_get_prandom_u32(), interval_bytes);
	return sample_weight_bytes(size_bytes, interval_bytes);
}

static __always_inline bool call_is_exact(const struct call *call)
{
	return call->control->sampling_interval_bytes <= 1;
}

/* ---- Entry ---- */

/* realloc(p, 0) frees p by a call of free: whatever it holds is the realloc's already. */
static __always_inline bool is_taken_by_pending(const struct call *call, __u64 address)
{
	struct thread_state *state = thread_state_get(call, 0);

	for (__u32 i = 0; state && i < PENDING_CALLS_MAX; i++)
		if (i < state->depth && state->pending[i].old_address == address)
			return true;
	return false;
}

static __always_inline int enter_free(const struct call *call)
{
	__u64 address = call_argument(call, RECORD_COOKIE_OLD(call->cookie));
	struct record_block block;

	if (!address)
		return SKIP_RETURN;
	if (block_take(call, address, &block))
		block_count_freed(&block);
	else if (call_is_exact(call) && !is_taken_by_pending(call, address))
		COUNT(call->counters->unknown_frees);
	return SKIP_RETURN;
}

static __always_inline void send_mapping(const struct call *call,
					 struct record_event_mapping *event)
{
	event->event.kind = RECORD_EVENT_MAPPING;
	event->event.slot = call->slot;
	event->event.account = call->account;
	event->event.pid = bpf_get_current_pid_tgid() >> 32;
	if (bpf_ringbuf_output(&events, event, sizeof(*event), 0))
		COUNT(call->counters->lost_mapping_events);
}

/*
 * munmap is reported before it happens: afterwards another thread may already have been given the
 * range, and its mapping would be taken for this one. What the kernel refuses is left out.
 */
static __always_inline int enter_unmap(const struct call *call)
{
	struct record_event_mapping event = {.operation = RECORD_OPERATION_UNMAP,
					     .address = PT_REGS_PARM1(call->ctx),
					     .length_bytes = PT_REGS_PARM2(call->ctx)};

	if (event.length_bytes && !(event.address & (PAGE_BYTES - 1)))
		send_mapping(call, &event);
	return SKIP_RETURN;
}

static __always_inline int enter_loader(const struct call *call)
{
	struct record_event event = {.kind = RECORD_EVENT_LOADER,
				     .slot = call->slot,
				     .account = call->account,
				     .pid = bpf_get_current_pid_tgid() >> 32};

	if (bpf_ringbuf_output(&events, &event, sizeof(event), 0)) {
		struct record_host_counters *host = host_counters_get();

		if (host)
			COUNT(host->lost_lifecycle_events);
	}
	return SKIP_RETURN;
}

static __always_inline void pending_set_mapping(const struct call *call,
						struct pending_call *pending, __u32 operation)
{
	pending->weight_bytes = 0;
	pending->has_old = 0;
	pending->old_address = 0;
	if (operation == RECORD_OPERATION_MAP) {
		pending->size_bytes = PT_REGS_PARM2(call->ctx);
		pending->protection = PT_REGS_PARM3(call->ctx);
		pending->flags = PT_REGS_PARM4(call->ctx);
		pending->fd = PT_REGS_PARM5(call->ctx);
	} else {
		pending->old_address = PT_REGS_PARM1(call->ctx);
		pending->old_size_bytes = PT_REGS_PARM2(call->ctx);
		pending->size_bytes = PT_REGS_PARM3(call->ctx);
		pending->flags = PT_REGS_PARM4(call->ctx);
	}
}

/* Fills in an allocation. Returns whether its return must be probed. */
static __always_inline bool pending_set_allocation(const struct call *call,
						   struct thread_state *state,
						   struct pending_call *pending,
						   const struct pending_call *tail_caller)
{
	__u32 result = RECORD_COOKIE_RESULT(call->cookie);

	pending->size_bytes = call_size_bytes(call);
	pending->weight_bytes = 0;
	pending->has_old = 0;
	pending->old_address = 0;
	pending->result_pointer = result == RECORD_ARGUMENT_NONE ? 0 : call_argument(call, result);
	if (call_is_exact(call)) {
		pending->weight_bytes = pending->size_bytes;
	} else if (tail_caller->stack_pointer) {
		/* The same allocation, once more by tail call: it keeps its draw. */
		if (tail_caller->size_bytes == pending->size_bytes)
			pending->weight_bytes = tail_caller->weight_bytes;
		else
			pending->weight_bytes = sample_block(call, state, pending->size_bytes);
	} else if (!pending->is_nested) {
		pending->weight_bytes = sample_block(call, state, pending->size_bytes);
	}
	if (RECORD_COOKIE_OPERATION(call->cookie) == RECORD_OPERATION_REALLOCATE) {
		pending->old_address = call_argument(call, RECORD_COOKIE_OLD(call->cookie));
		if (tail_caller->has_old && tail_caller->old_address == pending->old_address) {
			pending->old = tail_caller->old;
			pending->has_old = 1;
		} else if (pending->old_address) {
			pending->has_old = block_take(call, pending->old_address, &pending->old);
			if (!pending->has_old && call_is_exact(call))
				COUNT(call->counters->unknown_frees);
		}
	}
	return pending->weight_bytes || call_is_exact(call) ||
	       RECORD_COOKIE_FLAGS(call->cookie) & RECORD_FUNCTION_MAY_NEST ||
	       pending->size_bytes >= ALLOCATOR_MAPS_FROM_BYTES;
}

static __always_inline int enter_call(const struct call *call, __u32 operation)
{
	struct thread_state *state = thread_state_get(call, BPF_LOCAL_STORAGE_GET_F_CREATE);
	__u64 stack_pointer = PT_REGS_SP(call->ctx);
	struct pending_call tail_caller = {};
	struct pending_call *pending;
	bool must_return = true;
	__u32 depth;

	if (!state) {
		COUNT(call->counters->lost_blocks_error);
		return SKIP_RETURN;
	}
	if (state->depth)
		pending_unwind(call, state, stack_pointer, &tail_caller);
	if (state->depth && ++state->inner_calls > INNER_CALLS_MAX)
		pending_abandon(call, state, 0);
	depth = state->depth;
	if (!depth) {
		state->inner_address = 0;
		state->inner_calls = 0;
	}
	if (depth || tail_caller.stack_pointer)
		COUNT(call->counters->nested_calls);
	if (depth >= PENDING_CALLS_MAX)
		return SKIP_RETURN;
	pending = &state->pending[depth];
	pending->stack_pointer = stack_pointer;
	pending->operation = operation;
	pending->function_flags = RECORD_COOKIE_FLAGS(call->cookie);
	pending->is_nested = depth > 0;
	if (operation == RECORD_OPERATION_MAP || operation == RECORD_OPERATION_REMAP)
		pending_set_mapping(call, pending, operation);
	else
		must_return = pending_set_allocation(call, state, pending, &tail_caller);
	if (!must_return)
		return SKIP_RETURN;
	state->depth = depth + 1;
	return PROBE_RETURN;
}

/* ---- Return ---- */

/* What fails inside an allocator may yet be had by other means: the outermost call tells. */
static __always_inline void count_failure(const struct call *call,
					  const struct pending_call *pending)
{
	if (!pending->is_nested)
		COUNT(call->counters->failed_allocations);
}

static __always_inline void leave_mapping(const struct call *call, struct thread_state *state,
					  const struct pending_call *pending)
{
	struct record_event_mapping event = {.operation = pending->operation,
					     .address = PT_REGS_RC(call->ctx),
					     .length_bytes = pending->size_bytes,
					     .protection = pending->protection,
					     .flags = pending->flags,
					     .fd = pending->fd,
					     .is_inside_allocator = pending->is_nested};

	if (event.address >= -PAGE_BYTES) { /* MAP_FAILED or -errno */
		count_failure(call, pending);
		return;
	}
	if (pending->operation == RECORD_OPERATION_REMAP) {
		event.old_address = pending->old_address;
		event.old_length_bytes = pending->old_size_bytes;
	}
	if (!pending->is_nested &&
	    (pending->operation == RECORD_OPERATION_REMAP || pending->protection != PROT_NONE))
		event.site = call_site(call, state);
	send_mapping(call, &event);
}

/* The block that a successful call returned, 0 when it failed. */
static __always_inline __u64 call_result(const struct call *call,
					 const struct pending_call *pending)
{
	__u64 address = PT_REGS_RC(call->ctx);

	if (!pending->result_pointer)
		return address;
	if (address) /* posix_memalign returns an error number */
		return 0;
	if (bpf_probe_read_user(&address, sizeof(address), (void *)pending->result_pointer)) {
		COUNT(call->counters->lost_blocks_error);
		return 0;
	}
	return address;
}

/* The old block lives on: realloc failed. */
static __always_inline void restore_old_block(const struct call *call, struct thread_state *state,
					      const struct pending_call *pending)
{
	if (!block_enter(call, state, pending->old_address, &pending->old))
		block_count_freed(&pending->old);
}

static __always_inline void leave_allocation(const struct call *call, struct thread_state *state,
					     const struct pending_call *pending)
{
	__u64 address = call_result(call, pending);

	if (!address) {
		bool is_freed = pending->old_address && !pending->size_bytes &&
				pending->function_flags & RECORD_FUNCTION_ZERO_FREES;

		if (!is_freed)
			count_failure(call, pending);
		if (!pending->has_old)
			return;
		if (is_freed)
			block_count_freed(&pending->old);
		else
			restore_old_block(call, state, pending);
		return;
	}
	if (pending->has_old)
		block_count_freed(&pending->old);
	if (pending->weight_bytes || call_is_exact(call))
		block_born(call, state, pending, address);
}

static __always_inline int leave_call(const struct call *call)
{
	struct thread_state *state = thread_state_get(call, 0);
	/* The return has popped its address. */
	__u64 stack_pointer = PT_REGS_SP(call->ctx) - sizeof(__u64);
	struct pending_call *pending;
	__u32 depth;

	if (!state)
		return 0;
	for (depth = 0; depth < PENDING_CALLS_MAX; depth++) {
		if (depth >= state->depth)
			return 0; /* the outer of two calls that returned together by tail call */
		if (state->pending[depth].stack_pointer == stack_pointer)
			break;
	}
	if (depth >= PENDING_CALLS_MAX)
		return 0;
	if (depth + 1 < state->depth)
		pending_abandon(call, state, depth + 1);
	pending = &state->pending[depth];
	state->depth = depth;
	if (pending->operation == RECORD_OPERATION_MAP ||
	    pending->operation == RECORD_OPERATION_REMAP)
		leave_mapping(call, state, pending);
	else
		leave_allocation(call, state, pending);
	return 0;
}

/* ---- The probe ---- */

static __always_inline bool call_open(struct call *call, struct pt_regs *ctx)
{
	call->ctx = ctx;
	call->cookie = bpf_get_attach_cookie(ctx);
	call->slot = RECORD_COOKIE_SLOT(call->cookie);
	call->control = bpf_map_lookup_elem(&target_controls, &call->slot);
	call->counters = bpf_map_lookup_elem(&target_counters, &call->slot);
	if (!call->control || !call->counters || !call->control->is_enabled)
		return false;
	call->account = call->counters->account;
	return true;
}

static __always_inline int enter(const struct call *call, struct record_target_hits *hits)
{
	__u32 operation = RECORD_COOKIE_OPERATION(call->cookie);

	switch (operation) {
	case RECORD_OPERATION_FREE:
		COUNT(hits->frees);
		return enter_free(call);
	case RECORD_OPERATION_UNMAP:
		COUNT(hits->frees);
		return enter_unmap(call);
	case RECORD_OPERATION_LOADER:
		return enter_loader(call);
	default:
		COUNT(hits->allocations);
		return enter_call(call, operation);
	}
}

SEC("uprobe")
int allocator_session(struct pt_regs *ctx)
{
	struct record_target_hits *hits;
	struct call call;

	if (!call_open(&call, ctx))
		return SKIP_RETURN;
	hits = bpf_map_lookup_elem(&target_hits, &call.slot);
	if (!hits)
		return SKIP_RETURN;
	if (bpf_session_is_return()) {
		COUNT(hits->returns);
		leave_call(&call);
		return 0;
	}
	return enter(&call, hits) ? SKIP_RETURN : PROBE_RETURN;
}

/* Listens to nothing: the daemon attaches and detaches it to sweep out copied breakpoints. */
SEC("uprobe")
int allocator_sweep(struct pt_regs *ctx)
{
	return 0;
}
