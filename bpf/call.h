/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* One hit of the allocator probe: what its cookie says the function means, and its arguments. */
#ifndef MEMWATCH_CALL_H
#define MEMWATCH_CALL_H

#include "kernel_stack.h"
#include "maps.h"

#include <bpf/bpf_tracing.h>

/* What the entry program answers to the kernel: whether the return is to be probed. */
enum { PROBE_RETURN = 0, SKIP_RETURN = 1 };

/* A size that no allocator can serve: the overflow of size * count. */
#define SIZE_OVERFLOW (~0ULL)

#define PAGE_BYTES 4096ULL

struct call {
	struct pt_regs *ctx;
	__u64 cookie;
	__u64 is_exit; /* 1 at an exit probe, else 0 */
	__u32 slot;
	__u32 account;
	struct record_target_control *control;
	struct record_target_counters *counters;
	struct record_target_hits *hits;
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
	case RECORD_ARGUMENT_RAX:
		RETURN_ARGUMENT(PT_REGS_RC(call->ctx));
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

static __always_inline bool call_is_exact(const struct call *call)
{
	return call->control->sampling_interval_bytes <= 1;
}

/* 1 at an exit probe, else 0, reckoned so that the verifier doesn't know which. */
static __always_inline __u64 call_is_exit(const struct call *call)
{
	__u64 is_exit = RECORD_COOKIE_OPERATION(call->cookie) ^ RECORD_OPERATION_EXIT;

	is_exit = (is_exit - 1) >> 63; /* of 0 alone the difference is negative */
	asm volatile("" : "+r"(is_exit));
	return is_exit;
}

static __always_inline bool call_open(struct call *call, struct pt_regs *ctx)
{
	stay_on_kernel_stack(ctx);
	call->ctx = ctx;
	call->cookie = bpf_get_attach_cookie(ctx);
	call->is_exit = call_is_exit(call);
	call->slot = RECORD_COOKIE_SLOT(call->cookie);
	call->control = bpf_map_lookup_elem(&target_controls, &call->slot);
	call->counters = bpf_map_lookup_elem(&target_counters, &call->slot);
	if (!call->control || !call->counters || !call->control->is_enabled ||
	    call->control->watch != RECORD_COOKIE_WATCH(call->cookie))
		return false;
	call->account = call->counters->account;
	return true;
}

#endif
