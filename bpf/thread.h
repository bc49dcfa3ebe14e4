/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a thread of a target is in the middle of: its allocator calls that have not returned yet,
 * and where its sampling stands. In task-local storage, so that it goes when the thread goes; it is
 * also the thread's scratch memory, since a uprobe program may be preempted and per-CPU memory is
 * not its own.
 */
#ifndef MEMWATCH_THREAD_H
#define MEMWATCH_THREAD_H

#include "maps.h"
#include "stack_window.h"

/* Allocator calls nested deeper than this are not followed: the outer ones own the block anyway. */
#define PENDING_CALLS_MAX 4

/*
 * An allocator calls itself once or twice, a signal handler in its midst some times more. A call
 * that sees more than this inside has been left by a longjmp to further up than the next calls
 * reach.
 */
#define INNER_CALLS_MAX 16

struct pending_call {
	__u64 stack_pointer;  /* at the entry: it points to the return address */
	__u64 size_bytes;     /* ALLOCATE, REALLOCATE; length of MAP and REMAP */
	__u64 weight_bytes;   /* 0: not sampled */
	__u64 result_pointer; /* where the address is stored, 0: it is the return value */
	__u64 old_address;
	struct record_block old; /* REALLOCATE: taken out of the map until we know how it went */
	__u64 old_size_bytes;    /* REMAP */
	__u32 protection;        /* MAP */
	__u32 flags;             /* MAP_*, MREMAP_* */
	__s32 fd;
	__u8 operation;
	__u8 function_flags;
	__u8 has_old;
	__u8 is_nested;
};

/* A walk up the stack, by its current frame. See unwind.h. */
struct unwind_walk {
	__u64 address;        /* that the next frame's caller is searched by: inside its call */
	__u64 return_address; /* what is recorded of it */
	__u64 stack_pointer;
	__u64 frame_pointer;
	__u64 serial; /* of the process's ranges; 0: it has none */
	__u32 slot;
	__u32 rule;       /* for address */
	__u32 position;   /* of a search, see unwind_table.h */
	__u32 end;        /* enum record_stack_end */
	__u32 is_guessed; /* a frame came from the frame pointer alone */
	__u32 zero;
	struct stack_window window;
};

/* A walk along the thread's Python frames. See python.h. */
struct python_walk {
	__u64 runtime; /* the interpreter that the thread's state was searched in; 0: it wasn't */
	/* Where it was found. 0: it wasn't */
	__u64 first_interpreter, first_thread;
	__u64 retry_ns; /* it isn't looked for before */
	__u64 interpreter, thread, frame;
	__u64 word;
	__u64 hash;
	__u32 slot;
	__u32 calls;   /* of the evaluation function, whose frames are still to be found */
	__u32 states;  /* looked at */
	__u32 is_open; /* there may be more calls than were counted */
};

struct thread_state {
	__u32 account; /* everything below belongs to this account; another one starts afresh */
	__u32 depth;   /* of pending */
	__s64 bytes_until_sample;
	__u64 sampling_interval_bytes; /* that the distance above was drawn for */
	__u64 inner_address;           /* the last block that a nested call returned */
	__u64 inner_bytes;
	__u64 inner_calls;   /* since the outermost call was entered */
	__u64 freed_address; /* by a function that may call another's free with it; 0: none */
	/* The last call whose return isn't probed: it may still be under way. */
	__u64 skipped_stack_pointer;
	__u64 skipped_address; /* of the probe */
	__u64 skipped_cookie;
	struct pending_call pending[PENDING_CALLS_MAX];
	struct record_event_stack stack;
	struct unwind_walk walk;
	struct python_walk python;
};

/*
 * Bounded by the number of the targets' threads; freed by the kernel as they exit. When there is no
 * memory for it the call counts as lost_blocks_error.
 */
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct thread_state);
} thread_states SEC(".maps") __weak;

static __always_inline bool thread_is_on_signal_stack(const struct task_struct *task, __u64 pointer)
{
	return pointer - task->sas_ss_sp < task->sas_ss_size;
}

#endif
