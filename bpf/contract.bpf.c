/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The probe on a contract probe, where the other programs are sessions: these must never lie in the
 * midst of a function. For a session the kernel takes what lies on top of the stack for the return
 * address and replaces it whenever a listener has not said that it wants no return; and the
 * listener of another process that maps the same file is not even asked (uprobe_prog_run in
 * kernel/trace/bpf_trace.c, handler_chain in kernel/events/uprobes.c).
 */
#include "contract.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

SEC("uprobe")
int contract_entry(struct pt_regs *ctx)
{
	struct record_target_hits *hits;
	struct call call;

	if (!call_open(&call, ctx))
		return 0;
	hits = bpf_map_lookup_elem(&target_hits, &call.slot);
	if (hits)
		enter_contract(&call, hits, RECORD_COOKIE_OPERATION(call.cookie));
	return 0;
}
