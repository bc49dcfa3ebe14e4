/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The probe on every allocator function, told by its cookie what the function means. Of functions
 * that return a block or a mapping it runs at the entry and at the return; of others at the entry
 * alone. An exception must not pass a return probe (the unwinder takes its trampoline for the end
 * of the stack), so that functions which throw have entry probes at each instruction that returns
 * instead. The outermost call owns the block: an inner call's block in the same place is handed to
 * it.
 *
 * Of the programs at the end of this file the daemon loads those of its attach back end. In a
 * session the entry decides whether the return is probed; by the other back ends it always is, and
 * the return of a call that nobody follows finds nothing pending.
 */
#include "block.h"
#include "call.h"
#include "contract.h"
#include "mapping.h"
#include "pending.h"
#include "sample.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

static bool (*const session_is_return)(void *ctx) = (void *)RECORD_SESSION_IS_RETURN;

/* ---- Entry ---- */

/* What a block of this size stands for, 0 when it isn't sampled. */
static __always_inline __u64 sample_block(const struct call *call, struct thread_state *state,
					  __u64 size_bytes)
{
	/* The daemon may raise it at any time: read once, or the weight is not the draw's. */
	__u64 interval_bytes = *(volatile __u64 *)&call->control->sampling_interval_bytes;

	if (size_bytes >= interval_bytes || interval_bytes <= 1)
		return size_bytes;
	if (!size_bytes)
		size_bytes = 1;
	/* Exponential distances have no memory: what is left of the old one may be drawn afresh. */
	if (state->sampling_interval_bytes != interval_bytes) {
		state->sampling_interval_bytes = interval_bytes;
		state->bytes_until_sample =
			sample_distance_bytes(bpf_get_prandom_u32(), interval_bytes);
	}
	state->bytes_until_sample -= size_bytes;
	if (state->bytes_until_sample > 0)
		return 0;
	state->bytes_until_sample = sample_distance_bytes(bpf_get_prandom_u32(), interval_bytes);
	return sample_weight_bytes(size_bytes, interval_bytes);
}

/*
 * realloc(p, 0) frees p by a call of free: whatever it holds is the realloc's already. So it is
 * with a free that calls another allocator's.
 */
static __always_inline bool is_taken_by_outer(const struct call *call, __u64 address)
{
	struct thread_state *state = thread_state_get(call, 0);

	if (state && state->freed_address == address) {
		state->freed_address = 0;
		return true;
	}
	for (__u32 i = 0; state && i < PENDING_CALLS_MAX; i++)
		if (i < state->depth && state->pending[i].old_address == address)
			return true;
	return false;
}

static __always_inline void remember_freed(const struct call *call, __u64 address)
{
	struct thread_state *state = thread_state_get(call, BPF_LOCAL_STORAGE_GET_F_CREATE);

	if (state)
		state->freed_address = address;
}

static __always_inline int enter_free(const struct call *call)
{
	__u64 address = call_argument(call, RECORD_COOKIE_OLD(call->cookie));
	struct record_block block;

	if (!address)
		return SKIP_RETURN;
	if (block_take(call, address, &block))
		block_count_freed(&block);
	else if (call_is_exact(call) && !is_taken_by_outer(call, address))
		COUNT(call->counters->unknown_frees);
	if (call_is_exact(call) && RECORD_COOKIE_FLAGS(call->cookie) & RECORD_FUNCTION_MAY_NEST)
		remember_freed(call, address);
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
	if (RECORD_COOKIE_OLD(call->cookie) != RECORD_ARGUMENT_NONE) {
		pending->old_address = call_argument(call, RECORD_COOKIE_OLD(call->cookie));
		if (tail_caller->has_old && tail_caller->old_address == pending->old_address) {
			pending->old = tail_caller->old;
			pending->has_old = 1;
		} else if (pending->old_address) {
			pending->has_old = block_take(call, pending->old_address, &pending->old);
			if (!pending->has_old && !pending->is_nested && call_is_exact(call))
				COUNT(call->counters->unknown_frees);
		}
	}
	return pending->weight_bytes || pending->has_old || call_is_exact(call) ||
	       RECORD_COOKIE_FLAGS(call->cookie) & RECORD_FUNCTION_MAY_NEST;
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
	if (operation == RECORD_OPERATION_MAP || operation == RECORD_OPERATION_REMAP) {
		pending_set_mapping(call, pending, operation);
		if (is_inside_skipped_call(state, stack_pointer))
			pending->is_nested = 1;
	} else {
		must_return = pending_set_allocation(call, state, pending, &tail_caller);
	}
	/* No tail call after all: the one before was left, with what it had taken out. */
	if (tail_caller.has_old &&
	    (!pending->has_old || pending->old_address != tail_caller.old_address)) {
		COUNT(call->counters->abandoned_calls);
		block_count_freed(&tail_caller.old);
	}
	if (!must_return) {
		state->skipped_stack_pointer = stack_pointer;
		state->skipped_address = PT_REGS_IP(call->ctx);
		state->skipped_cookie = call->cookie;
		return SKIP_RETURN;
	}
	state->depth = depth + 1;
	return PROBE_RETURN;
}

/* ---- Return ---- */

/* The block that a successful call returned, 0 when it failed. */
static __always_inline __u64 call_result(const struct call *call,
					 const struct pending_call *pending)
{
	__u64 address = PT_REGS_RC(call->ctx);

	/* jemalloc's xallocx returns the size that the block has now, whether it worked or not. */
	if (pending->operation == RECORD_OPERATION_RESIZE)
		return address >= pending->size_bytes ? pending->old_address : 0;
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
		bool is_zero_freed = pending->old_address && !pending->size_bytes &&
				     pending->function_flags & RECORD_FUNCTION_ZERO_FREES;

		if (!is_zero_freed && pending->operation != RECORD_OPERATION_RESIZE)
			count_failure(call, pending);
		if (!pending->has_old)
			return;
		if (is_zero_freed || pending->function_flags & RECORD_FUNCTION_FAIL_FREES)
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

/*
 * Returns whether it was the return of a call that is followed. No branch depends on is_exit: the
 * verifier need not look at everything twice.
 */
static __always_inline bool leave_call(const struct call *call)
{
	struct thread_state *state = thread_state_get(call, 0);
	__u64 stack_pointer = PT_REGS_SP(call->ctx);
	struct pending_call *pending;
	__u32 depth;

	if (!state)
		return false;
	/* At an exit the return address is still to be popped, as it was at the entry. */
	stack_pointer -= sizeof(__u64) * (1 - call->is_exit);
	for (depth = 0; depth < PENDING_CALLS_MAX; depth++) {
		if (depth >= state->depth)
			return false; /* maybe the outer of two that return at once by tail call */
		if (state->pending[depth].stack_pointer == stack_pointer)
			break;
	}
	if (depth >= PENDING_CALLS_MAX)
		return false;
	/* The way out of a throwing function may be shared with others, which return by probe. */
	if ((state->pending[depth].function_flags ^ call->is_exit * RECORD_FUNCTION_HAS_EXITS) &
	    RECORD_FUNCTION_HAS_EXITS)
		return false;
	if (depth + 1 < state->depth)
		pending_abandon(call, state, depth + 1);
	pending = &state->pending[depth];
	state->depth = depth;
	if (pending->operation == RECORD_OPERATION_MAP ||
	    pending->operation == RECORD_OPERATION_REMAP)
		leave_mapping(call, state, pending);
	else
		leave_allocation(call, state, pending);
	return true;
}

/* ---- The probe ---- */

/* Whether the cookie's target is known; fills in the call. */
static __always_inline bool probe_open(struct call *call, struct pt_regs *ctx)
{
	if (!call_open(call, ctx))
		return false;
	call->hits = bpf_map_lookup_elem(&target_hits, &call->slot);
	return call->hits != NULL;
}

static __always_inline void count_stepped(const struct call *call)
{
	if (call->cookie & RECORD_COOKIE_SINGLE_STEPPED)
		COUNT(call->hits->single_stepped);
}

static __always_inline void leave(const struct call *call)
{
	if (leave_call(call))
		COUNT(call->hits->returns);
	else
		COUNT(call->hits->idle_returns);
}

SEC("uprobe")
int allocator_session(struct pt_regs *ctx)
{
	struct call call;

	if (!probe_open(&call, ctx))
		return SKIP_RETURN;
	if (session_is_return(ctx)) {
		leave(&call);
		return 0;
	}
	COUNT(call.hits->allocations);
	count_stepped(&call);
	return enter_call(&call, RECORD_COOKIE_OPERATION(call.cookie)) ? SKIP_RETURN : PROBE_RETURN;
}

/*
 * At an entry or an exit, of every function or, beside a session, of those that have no return
 * worth seeing. These must not be in the session: for one the kernel takes what lies on top of the
 * stack for the return address, and replaces it whenever a listener has not said that it wants no
 * return. The listener of another process that maps the same file is not even asked
 * (uprobe_prog_run in kernel/trace/bpf_trace.c, handler_chain in kernel/events/uprobes.c). So the
 * return of each of its frees would be probed for nothing; and in the midst of a function, where
 * something else is on top of the stack, the program would break.
 *
 * Anything but 0 would take the breakpoint out, by a multi link before 6.13.
 */
SEC("uprobe")
int allocator_entry(struct pt_regs *ctx)
{
	struct call opened, *call = &opened;
	__u32 operation;

	if (!probe_open(call, ctx))
		return 0;
	operation = RECORD_COOKIE_OPERATION(call->cookie);
	count_stepped(call);
	switch (operation) {
	case RECORD_OPERATION_FREE:
		COUNT(call->hits->frees);
		enter_free(call);
		break;
	case RECORD_OPERATION_UNMAP:
		COUNT(call->hits->frees);
		enter_unmap(call);
		break;
	case RECORD_OPERATION_LOADER:
		enter_loader(call);
		break;
	case RECORD_OPERATION_CONTRACT_ALLOCATE:
	case RECORD_OPERATION_CONTRACT_FREE:
		enter_contract(call, operation);
		break;
	case RECORD_OPERATION_EXIT:
		leave(call);
		break;
	default:
		COUNT(call->hits->allocations);
		enter_call(call, operation);
	}
	return 0;
}

/* Of functions whose return matters. */
SEC("uprobe")
int allocator_return(struct pt_regs *ctx)
{
	struct call call;

	if (probe_open(&call, ctx))
		leave(&call);
	return 0;
}

/* Listens to nothing: the daemon attaches and detaches it to sweep out copied breakpoints. */
SEC("uprobe")
int allocator_sweep(struct pt_regs *ctx)
{
	return 0;
}
