/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What an attach back end is tried with: programs that count hits of one function and cost the
 * verifier nothing. An object of its own, loaded before the real one.
 */
#include "kernel_types.h"
#include "record.h"

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Hits by place: entries, then returns, by the function's argument. Read by the daemon. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2 * RECORD_TRIAL_CALLERS);
	__type(key, __u32);
	__type(value, __u64);
} trial_hits SEC(".maps");

static __always_inline void count(__u32 first, __u64 caller)
{
	__u32 place = first + (__u32)caller;
	__u64 *hits =
		caller < RECORD_TRIAL_CALLERS ? bpf_map_lookup_elem(&trial_hits, &place) : NULL;

	if (hits)
		__sync_fetch_and_add(hits, 1);
}

/* The cookie is the function's address: hits whose cookie went astray are not counted. */
static __always_inline bool is_entry(struct pt_regs *ctx)
{
	return PT_REGS_IP(ctx) == bpf_get_attach_cookie(ctx);
}

static __always_inline bool has_cookie(struct pt_regs *ctx)
{
	return bpf_get_attach_cookie(ctx) != 0;
}

SEC("uprobe")
int trial_session(struct pt_regs *ctx)
{
	__u64 argument = PT_REGS_PARM1(ctx);

	if (!is_entry(ctx)) {
		count(RECORD_TRIAL_CALLERS,
		      has_cookie(ctx) ? PT_REGS_RC(ctx) : RECORD_TRIAL_CALLERS);
		return 0;
	}
	count(0, argument);
	return argument == RECORD_TRIAL_SKIPS_RETURN;
}

SEC("uprobe")
int trial_entry(struct pt_regs *ctx)
{
	if (is_entry(ctx))
		count(0, PT_REGS_PARM1(ctx));
	return 0;
}

SEC("uprobe")
int trial_return(struct pt_regs *ctx)
{
	if (has_cookie(ctx))
		count(RECORD_TRIAL_CALLERS, PT_REGS_RC(ctx));
	return 0;
}

SEC("uprobe")
int trial_sweep(struct pt_regs *ctx)
{
	return 0;
}
