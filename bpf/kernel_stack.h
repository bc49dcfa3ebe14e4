/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Keeps uprobe programs on the stack of their thread.
 *
 * Since 6.13 the kernel gives programs of type kprobe a stack of the CPU instead, one for each
 * program, unless they use less than 64 bytes (kernel commit a76ab5731e32). It takes them to be
 * never preempted, which is not so for uprobes since 6.0: where the kernel preempts, a second
 * thread of the same CPU enters the program, both write to one stack, and the kernel follows wild
 * pointers (seen in Debian's 7.2 within a minute; also
 * open-telemetry/opentelemetry-ebpf-instrumentation #3056). A program with a tail call is left on
 * its thread's stack. The verifier knows that ours is never made and removes it, so it costs
 * nothing; nor does it need a map, which programs of different attach types could not share.
 */
#ifndef MEMWATCH_KERNEL_STACK_H
#define MEMWATCH_KERNEL_STACK_H

#include "kernel_types.h"

#include <bpf/bpf_helpers.h>

/* Never set. Read-only data, which is known to the verifier but not to the compiler. */
const volatile bool is_tail_called SEC(".rodata") __weak = false;

/* To be called by each uprobe program of more than 64 bytes of stack. */
static __always_inline void stay_on_kernel_stack(void *ctx)
{
	if (is_tail_called)
		bpf_tail_call(ctx, NULL, 0);
}

#endif
