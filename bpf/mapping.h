/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* mmap, munmap and mremap: reported to the daemon, which keeps their account. */
#ifndef MEMWATCH_MAPPING_H
#define MEMWATCH_MAPPING_H

#include "block.h"
#include "pending.h"

#include <bpf/bpf_core_read.h>

#define PROT_NONE 0

/* How far down the stack from an allocator's entry its own call of mmap can be. */
#define ALLOCATOR_STACK_BYTES 4096

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
 * range, and its mapping would be taken for this one. What the kernel refuses at sight is left out:
 * no length, not on a page, beyond what a process can map.
 */
static __always_inline int enter_unmap(const struct call *call)
{
	struct record_event_mapping event = {.operation = RECORD_OPERATION_UNMAP,
					     .address = PT_REGS_PARM1(call->ctx),
					     .length_bytes = PT_REGS_PARM2(call->ctx)};
	__u64 task_size;

	task_size = BPF_CORE_READ(bpf_get_current_task_btf(), mm, task_size);
	if (event.length_bytes && !(event.address & (PAGE_BYTES - 1)) &&
	    event.address <= task_size && event.length_bytes <= task_size - event.address)
		send_mapping(call, &event);
	return SKIP_RETURN;
}

/*
 * Whether a call of mmap comes from the midst of an allocation whose return isn't probed, of which
 * nothing is pending: that mapping is the allocator's, not the program's. A block of any size may
 * cause one: M_MMAP_THRESHOLD can be lowered, and where brk fails the heap itself is mapped.
 */
static __always_inline bool is_inside_skipped_call(const struct thread_state *state,
						   __u64 stack_pointer)
{
	__u64 stack_bytes = state->skipped_stack_pointer - stack_pointer;
	__u64 below = RECORD_COOKIE_BELOW(state->skipped_cookie) << RECORD_REACH_SHIFT;
	__u64 above = RECORD_COOKIE_ABOVE(state->skipped_cookie) << RECORD_REACH_SHIFT;
	__u64 caller;

	if (!stack_bytes || stack_bytes > ALLOCATOR_STACK_BYTES)
		return false;
	if (bpf_probe_read_user(&caller, sizeof(caller), (void *)stack_pointer))
		return false;
	return caller - state->skipped_address + below < below + above;
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

#endif
