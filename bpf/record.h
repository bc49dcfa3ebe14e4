/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The structs that the BPF programs and the daemon share, and nothing else.
 *
 * Both sides are built together and talk about the same memory: a change here is a change of both.
 * Every struct is laid out so that it has no hidden padding.
 */
#ifndef MEMWATCH_RECORD_H
#define MEMWATCH_RECORD_H

#include <linux/types.h>

/* Frames of one stack; 127 is what the kernel's own callchains keep by default. */
#define RECORD_STACK_FRAMES_MAX 127
/* Generations that a site keeps apart; older blocks are summed in older_bytes. A power of two. */
#define RECORD_GENERATIONS 16
/* Objects are counted in units of 1/65536, since a sampled object stands for a fractional number.
 */
#define RECORD_OBJECT_UNIT 65536ULL
/*
 * Variances are kept in units of 256 square bytes. A sampled block adds about the interval's
 * square: that is still 4 units at intervals of 32 bytes, and at the longest, 2^30, the sum of 2048
 * blocks fits 63 bits.
 */
#define RECORD_VARIANCE_SHIFT 8
/* The kernel's TASK_COMM_LEN. */
#define RECORD_COMM_LENGTH 16
/* Targets are numbered by slot; the slot travels in the attach cookie. */
#define RECORD_TARGETS_MAX 1024
/* Stands for the kernel's bpf_session_is_return() until the daemon loads the program: the number of
 * a helper that no kernel has. See daemon/probe/session_call.h. */
#define RECORD_SESSION_IS_RETURN 0x6d77

/* ---- What a probed function means: packed into the attach cookie (see daemon/probe/allocator.h)
 */

enum record_operation {
	RECORD_OPERATION_ALLOCATE = 1, /* returns a block */
	RECORD_OPERATION_REALLOCATE,   /* takes a block, returns a block */
	RECORD_OPERATION_FREE,         /* takes a block */
	RECORD_OPERATION_MAP,          /* mmap(address, length, protection, flags, fd, offset) */
	RECORD_OPERATION_UNMAP,        /* munmap(address, length) */
	RECORD_OPERATION_REMAP,        /* mremap(old, old_length, new_length, flags, new) */
	RECORD_OPERATION_LOADER,       /* the loader has changed the list of loaded objects */
	RECORD_OPERATION_EXIT,         /* no function: an instruction that returns from some */
	RECORD_OPERATION_RESIZE, /* takes a block and leaves it in place; returns the size it has */
	/* USDT otel_memory: alloc(pointer, size, weight) and free(pointer), see bpf/contract.h */
	RECORD_OPERATION_CONTRACT_ALLOCATE = 10,
	RECORD_OPERATION_CONTRACT_FREE = 11,
};

/*
 * Where an argument is at the probe: the register that passes argument 0 to 5, %rax, or nowhere.
 * A probe behind the entry may find an argument in another register than the one that brought it.
 */
#define RECORD_ARGUMENT_RAX  6
#define RECORD_ARGUMENT_NONE 7

/* Flags of a function's meaning. */
/* may call another probed function: its return is always probed; a free may be handed on */
#define RECORD_FUNCTION_MAY_NEST 1
/* reallocating to 0 bytes frees the block and returns NULL */
#define RECORD_FUNCTION_ZERO_FREES 2
/* the size is rounded up to whole pages (pvalloc) */
#define RECORD_FUNCTION_PAGE_ROUNDED 4
/* frees the old block when it fails (reallocf) */
#define RECORD_FUNCTION_FAIL_FREES 8
/* a C++ exception may leave it: a pending return probe would be the end of the process */
#define RECORD_FUNCTION_MAY_THROW 16
/* its return is seen by RECORD_OPERATION_EXIT, never by a return probe */
#define RECORD_FUNCTION_HAS_EXITS 32

/*
 * cookie: bits 0-3 operation, 4-6 size argument, 7-9 count argument (a factor of the size),
 * 10-12 argument that holds the old block, 13-15 argument that points to where the block's address
 * is stored (none: the return value is the address), 16-23 flags, 24 single-stepped, 25-37 number
 * of the watch (slots are used again, and probes of an earlier watch may still be there), 38-47
 * slot of the target. Of a USDT probe 48-63 say where its arguments are described (index into
 * usdt_arguments); of others 48-55 and 56-63 how far the allocator's code reaches below and above
 * the probe, in units of 1 << RECORD_REACH_SHIFT bytes.
 */
#define RECORD_COOKIE(operation, size, count, old, result, flags)                             \
	((__u64)(operation) | (__u64)(size) << 4 | (__u64)(count) << 7 | (__u64)(old) << 10 | \
	 (__u64)(result) << 13 | (__u64)(flags) << 16)
#define RECORD_COOKIE_OPERATION(cookie) ((cookie)&15)
#define RECORD_COOKIE_SIZE(cookie)      ((cookie) >> 4 & 7)
#define RECORD_COOKIE_COUNT(cookie)     ((cookie) >> 7 & 7)
#define RECORD_COOKIE_OLD(cookie)       ((cookie) >> 10 & 7)
#define RECORD_COOKIE_RESULT(cookie)    ((cookie) >> 13 & 7)
#define RECORD_COOKIE_FLAGS(cookie)     ((cookie) >> 16 & 255)
#define RECORD_COOKIE_FLAGS_SHIFT       16
/* The probe's instruction cannot be emulated: each of its hits is dearer (see target/calibrate.h).
 */
#define RECORD_COOKIE_SINGLE_STEPPED      (1ULL << 24)
#define RECORD_COOKIE_WATCH_SHIFT         25
#define RECORD_WATCH_MASK                 8191
#define RECORD_COOKIE_WATCH(cookie)       ((cookie) >> RECORD_COOKIE_WATCH_SHIFT & RECORD_WATCH_MASK)
#define RECORD_COOKIE_SLOT_SHIFT          38
#define RECORD_COOKIE_SLOT(cookie)        ((cookie) >> RECORD_COOKIE_SLOT_SHIFT & (RECORD_TARGETS_MAX - 1))
#define RECORD_COOKIE_USDT_SHIFT          48
#define RECORD_COOKIE_USDT(cookie)        ((cookie) >> RECORD_COOKIE_USDT_SHIFT & 65535)
#define RECORD_REACH_SHIFT                15
#define RECORD_REACH_MAX                  255ULL
#define RECORD_COOKIE_REACH(below, above) ((__u64)(below) << 48 | (__u64)(above) << 56)
#define RECORD_COOKIE_BELOW(cookie)       ((cookie) >> 48 & RECORD_REACH_MAX)
#define RECORD_COOKIE_ABOVE(cookie)       ((cookie) >> 56 & RECORD_REACH_MAX)

/* ---- Where a USDT probe finds its arguments (see daemon/probe/usdt_argument.h) ---- */

#define RECORD_USDT_ARGUMENTS_MAX 3
/* Different descriptions at a time, of all targets; most probes share one. */
#define RECORD_USDT_DESCRIPTIONS_MAX 8192
#define RECORD_REGISTER_NONE         255

/*
 * constant + base register + index register << scale_shift, or the memory there; of that the low
 * size_bytes count. A register is given by its offset in struct pt_regs.
 */
struct record_usdt_argument {
	__s64 constant;
	__u8 base;  /* RECORD_REGISTER_NONE: none */
	__u8 index; /* RECORD_REGISTER_NONE: none */
	__u8 scale_shift;
	__u8 is_memory;
	__u8 size_bytes; /* 1, 2, 4 or 8 */
	__u8 is_signed;
	__u8 zero[2];
};

struct record_usdt_arguments {
	struct record_usdt_argument arguments[RECORD_USDT_ARGUMENTS_MAX];
};

/* ---- Blocks and sites ---- */

/* Key of an outstanding block. Accounts are numbered anew at each watch and exec, never reused. */
struct record_block_key {
	__u64 address;
	__u32 account;
	__u32 zero;
};

/*
 * An outstanding block. weight_bytes is what it stands for in the estimates: its size when every
 * block counts, size / P(sampled) when blocks are sampled.
 */
struct record_block {
	__u64 size_bytes;
	__u64 weight_bytes;
	__u32 site;
	__u32 generation;
};

/* ---- Resident memory (bpf/rss.bpf.c) ---- */

enum record_rss_kind {
	RECORD_RSS_ANONYMOUS,
	RECORD_RSS_FILE,
	RECORD_RSS_SHARED, /* tmpfs, memfd, System V */
	RECORD_RSS_KINDS,
};

/* By which resident memory changed; estimates, see bpf/rss_interval.h. */
struct record_rss {
	__u64 grown_bytes[RECORD_RSS_KINDS];
	__u64 shrunk_bytes[RECORD_RSS_KINDS];
};

/* Sites of resident memory, beside those of allocations: a part of as many. */
#define RECORD_RSS_SITES_DIVISOR 10

/* A target's memory. Written by BPF, read by the daemon. Index: slot. */
struct record_rss_space {
	__u64 mm;  /* the kernel's; 0: it isn't followed */
	__u32 pid; /* whose threads change it */
	__u32 zero;
	/* Pages, as of the last change: what the kernel counts for all CPUs together. */
	__s64 counted_pages[RECORD_RSS_KINDS];
	__u64 sampled_bytes; /* grown and shrunk */
};

struct record_site_key {
	__u64 stack_hash;
	__u32 account;
	__u32 zero;
};

/*
 * Counters of one site. BPF writes by atomic addition; user space reads through a shared mapping.
 * outstanding = allocated - freed = older_bytes + sum of generation_bytes.
 */
struct record_site {
	__u32 account;
	__u32 is_stack_sent; /* the stack has reached the ring buffer */
	__u64 stack_hash;
	__u64 first_ns; /* CLOCK_MONOTONIC when its first block or mapping was born */
	__u64 allocated_bytes;
	__u64 freed_bytes;
	__u64 allocated_objects;    /* in RECORD_OBJECT_UNIT */
	__u64 freed_objects;        /* in RECORD_OBJECT_UNIT */
	__u64 outstanding_variance; /* of outstanding bytes, in 1 << RECORD_VARIANCE_SHIFT bytes^2
				     */
	__u32 is_estimated; /* it had blocks that were sampled by chance: of less than an interval
			     */
	__u32 zero;
	__s64 older_bytes;
	__s64 generation_bytes[RECORD_GENERATIONS];
	/* Which generation the bytes above belong to; slot = generation % RECORD_GENERATIONS. */
	__u32 generation_number[RECORD_GENERATIONS];
	struct record_rss rss; /* of a stack that touched or gave back memory */
};

/* ---- Stacks ---- */

/* Why a stack has no further frames. */
enum record_stack_end {
	RECORD_STACK_END_ROOT,          /* call frame information says that there is no caller */
	RECORD_STACK_END_TRUNCATED,     /* deeper than RECORD_STACK_FRAMES_MAX */
	RECORD_STACK_END_PENDING,       /* the process's unwind tables were not ready yet */
	RECORD_STACK_END_FRAME_POINTER, /* a caller was found by frame pointer alone; where such a
					   chain ends is a guess */
	RECORD_STACK_END_UNKNOWN_CODE,  /* in no file: made by a JIT compiler, or mapped just now */
	RECORD_STACK_END_NO_TABLE,      /* no call frame information speaks of this code */
	RECORD_STACK_END_UNSUPPORTED,   /* what it says can't be followed */
	RECORD_STACK_END_UNREADABLE,    /* the stack isn't there, or not in memory */
	RECORD_STACK_END_CORRUPT,       /* no way up the stack: what lies there is no frame */
	RECORD_STACK_END_GUESSED_ROOT,  /* as ROOT, but a caller on the way was found by frame
					   pointer  alone */
	RECORD_STACK_END_SHORTENED,     /* cut on purpose: the table of sites is nearly full */
	RECORD_STACK_ENDS_COUNT,
};

/* Why there are no further Python frames. */
enum record_python_end {
	RECORD_PYTHON_END_NONE,       /* the stack passes no call of an evaluation function */
	RECORD_PYTHON_END_ROOT,       /* all of its calls have their frames */
	RECORD_PYTHON_END_TRUNCATED,  /* deeper than RECORD_PYTHON_FRAMES_MAX */
	RECORD_PYTHON_END_NO_THREAD,  /* no interpreter knows the thread */
	RECORD_PYTHON_END_UNREADABLE, /* a frame isn't there, or not in memory */
	RECORD_PYTHON_END_MISMATCH,   /* the chain of frames ends before the calls do */
	RECORD_PYTHON_ENDS_COUNT,
};

/* ---- Targets ---- */

/* Written by the daemon, read by BPF. Index: slot. */
struct record_target_control {
	__u64 sampling_interval_bytes; /* 1: exact */
	__u64 blocks_max;              /* this target's share of the block map */
	__u64 sites_max;               /* and of the site table */
	__u64 unwind;                  /* RECORD_UNWIND_SERIAL() of its unwind_spaces entry */
	__u32 generation;              /* current generation, counted up by the daemon */
	__u16 watch;                   /* probes of another watch are not heard */
	__u16 is_enabled;
};

/* Written by BPF and the daemon (atomic additions), read by the daemon. Index: slot. */
struct record_target_counters {
	__u32 account;            /* current account; 0: none. BPF changes it at exec */
	__u32 overflow_site;      /* site that takes what no site could be made for, +1; 0: none */
	__s64 blocks;             /* entries of the block map that belong to the account */
	__u64 sites;              /* sites made for the account, the overflow site left out */
	__u64 failed_allocations; /* the allocator returned NULL */
	__u64 unknown_frees;      /* exact mode: freed, but allocated before we watched or lost */
	__u64 missed_frees;       /* an address was returned again that we held as outstanding */
	__u64 abandoned_calls;    /* entered an allocator and never returned from it */
	__u64 nested_calls;       /* calls of an allocator function by another one */
	__u64 lost_blocks_map_full;   /* blocks not accounted: the block map is full */
	__u64 lost_blocks_share_full; /* blocks not accounted: the target's share of it is used up
				       */
	__u64 lost_blocks_error; /* blocks not accounted: no thread state, or unreadable arguments
				  */
	__u64 lost_sites;  /* blocks accounted to the overflow site: the site table is full, or the
			      target's share of it */
	__u64 lost_stacks; /* stacks that could not be taken */
	__u64 delayed_stacks;      /* ring buffer full: the stack is sent with a later event */
	__u64 lost_mapping_events; /* ring buffer full: the mapping account was resynchronised */
	__u64 main_thread_exits;   /* the main thread ended and others go on */
	__u64 invalid_samples; /* contract probes: sizes or weights that cannot be, not accounted */
	__u64 reported_bytes;  /* contract probes: sum of all weights; bounds every sum of them */
	__u64 vanished_probes; /* a debugger took them out; the daemon counts and restores */
	__u64 rss_sites;       /* made for changes of resident memory; not among sites */
	__u64 rss_interval_bytes; /* at present */
	__u64 rss_samples;
	__u64 rss_samples_to_root; /* of them: the stack was whole */
	__u64 lost_rss_samples;    /* no thread state, or no site at all */
	__u64 lost_rss_sites;      /* samples accounted to the overflow site */
	/* Of its memory, by others than its own threads: reclaim, khugepaged, ptrace, vfork's child
	 */
	__u64 rss_grown_elsewhere_bytes;
	__u64 rss_shrunk_elsewhere_bytes;
	__u64 stack_ends[RECORD_STACK_ENDS_COUNT];   /* stacks taken, by enum record_stack_end */
	__u64 python_ends[RECORD_PYTHON_ENDS_COUNT]; /* by enum record_python_end */
};

/* Probe hits of one target on one CPU: what its watch costs. Index: slot, per CPU. */
struct record_target_hits {
	__u64 allocations;
	__u64 frees;
	__u64 returns;        /* of calls that are followed */
	__u64 idle_returns;   /* of others, whose return probe couldn't be skipped */
	__u64 samples;        /* blocks sampled, their stacks taken; not counted in exact mode */
	__u64 single_stepped; /* of all these */
	__u64 rss_changes;    /* of resident memory */
	__u64 rss_samples;    /* of them: with a stack */
};

/* ---- Host: what belongs to no target. One struct, atomic additions. */
struct record_host_counters {
	__u64 lost_lifecycle_events; /* ring buffer full: exec, exit or fork of a target not
					reported */
	__u64 lost_oom_events;       /* ring buffer full: an OOM kill counted but not described */
	__u64 oom_kills;
	__u64 sites_end; /* no site number from here on was ever in use */
};

/*
 * ---- Unwinding without frame pointers (tables: daemon/unwind/, walker: bpf/unwind.h) ----
 *
 * A module's code is cut into pages of 64 KiB of link addresses. A page's rows are sorted; a row
 * holds from its address to the next one's or to the end of the page, and the first one of a page
 * begins at 0. A row names a rule, which says how the caller's registers are found.
 */

#define RECORD_UNWIND_PAGE_SHIFT 16

struct record_unwind_row {
	__u16 low_address; /* link address within the page */
	__u16 rule;        /* index */
};

/* x86-64: the return address is always at CFA - 8, or the rule is UNSUPPORTED. */
enum record_unwind_kind {
	RECORD_UNWIND_NONE,          /* no table speaks of this code */
	RECORD_UNWIND_UNSUPPORTED,   /* a table does, in a way that can't be followed */
	RECORD_UNWIND_END,           /* the outermost frame: no caller */
	RECORD_UNWIND_STACK_POINTER, /* CFA = rsp + cfa_offset */
	RECORD_UNWIND_FRAME_POINTER, /* CFA = rbp + cfa_offset */
	RECORD_UNWIND_DEREFERENCED_STACK_POINTER, /* CFA = *(rsp + cfa_offset) + cfa_addend */
	RECORD_UNWIND_DEREFERENCED_FRAME_POINTER, /* CFA = *(rbp + cfa_offset) + cfa_addend */
	RECORD_UNWIND_PLT, /* CFA = rsp + cfa_offset + (rip % 16 >= cfa_addend ? 8 : 0) */
	/* rip, rsp and rbp as the kernel saved them for a signal handler, the sigcontext's r8 at
	 * rsp + cfa_offset: the caller was interrupted there, rip is no return address */
	RECORD_UNWIND_SIGNAL,
	/* CFA = rbp + cfa_offset, in code of V8's, where what lies below rbp is as V8 lays it down
	 */
	RECORD_UNWIND_V8,
};

/* Where the caller's rbp is. */
enum record_unwind_frame_pointer {
	RECORD_UNWIND_FRAME_POINTER_SAME,             /* still in rbp */
	RECORD_UNWIND_FRAME_POINTER_AT_CFA,           /* at CFA + frame_pointer_offset */
	RECORD_UNWIND_FRAME_POINTER_AT_FRAME_POINTER, /* at rbp + frame_pointer_offset */
	RECORD_UNWIND_FRAME_POINTER_LOST, /* undefined, or where the walker can't look */
};

struct record_unwind_rule {
	__s32 cfa_offset;
	__s16 cfa_addend;
	__s16 frame_pointer_offset;
	__u8 kind;          /* enum record_unwind_kind */
	__u8 frame_pointer; /* enum record_unwind_frame_pointer */
	__u16 zero;
};

/* Rows of whole pages, of one module or several; 64 KiB. */
#define RECORD_UNWIND_CHUNK_ROWS 16384
#define RECORD_UNWIND_CHUNKS_MAX 4096
/* Pages of all modules: 8 GiB of code. */
#define RECORD_UNWIND_PAGES_MAX 131072
/* Different rules of all modules; a desktop's programs have 10,000. Rule 0 is NONE. */
#define RECORD_UNWIND_RULES_MAX 65536
/* Executable mappings of one process; of more the last ones have no tables. A power of two. */
#define RECORD_UNWIND_RANGES_MAX 1024

struct record_unwind_chunk {
	struct record_unwind_row rows[RECORD_UNWIND_CHUNK_ROWS];
};

struct record_unwind_page {
	__u32 chunk;
	__u16 first_row; /* in the chunk */
	__u16 row_count; /* 0: no table speaks of any of it */
};

/* Where a process has a file's code mapped. */
struct record_unwind_range {
	__u64 start;
	__u64 end;        /* exclusive */
	__u64 bias;       /* address - bias: of page 0 on, in bytes */
	__u32 first_page; /* index into unwind_pages; without pages: the rule of all of it, or 0 */
	__u32 page_count; /* 0: it has no tables */
};

struct record_unwind_space {
	__u32 range_count;
	__u32 zero;
	struct record_unwind_range ranges[RECORD_UNWIND_RANGES_MAX]; /* sorted */
};

/*
 * What the walker has found out is kept by serial number, and each change of a process's ranges has
 * a new one. After an exec the account is another one, and the ranges of before are not used.
 */
#define RECORD_UNWIND_SERIAL_BITS             17
#define RECORD_UNWIND_SERIAL(account, serial) ((__u64)(account) << 32 | (serial))

/*
 * ---- Python (layouts and code objects: daemon/python/, walker: bpf/python.h) ----
 *
 * A Python frame is the address of its code object and where in the bytecode it is, in one word.
 * The frames that one call of the interpreter's evaluation function runs belong together: the
 * outermost of them is marked as its entry.
 */
#define RECORD_PYTHON_FRAMES_MAX 127

/* Native frames, then those of Python. A power of two. */
#define RECORD_STACK_WORDS_MAX 256

#define RECORD_PYTHON_INSTRUCTION_BITS 19
#define RECORD_PYTHON_INSTRUCTION_MAX  ((1U << RECORD_PYTHON_INSTRUCTION_BITS) - 1)
/* Code objects lie at multiples of 8, below 2^47. */
#define RECORD_PYTHON_CODE(word)     ((word) >> (RECORD_PYTHON_INSTRUCTION_BITS + 1) << 3)
#define RECORD_PYTHON_IS_ENTRY(word) ((word)&1)
/* Byte offset / 2 + 1; 0: before the first instruction; the largest: unknown. */
#define RECORD_PYTHON_INSTRUCTION(word) ((word) >> 1 & RECORD_PYTHON_INSTRUCTION_MAX)
#define RECORD_PYTHON_WORD(code, instruction, is_entry)                                           \
	((__u64)(code) >> 3 << (RECORD_PYTHON_INSTRUCTION_BITS + 1) | (__u64)(instruction) << 1 | \
	 (is_entry))

/* How a frame says where it is. */
enum record_python_instruction {
	RECORD_PYTHON_BYTE_INDEX, /* an int, in bytes; -1 before the first (to 3.9) */
	RECORD_PYTHON_UNIT_INDEX, /* an int, in units of two bytes (3.10) */
	RECORD_PYTHON_POINTER,    /* into the code object (from 3.11) */
};

/* How the outermost frame of a call of the evaluation function is known. */
enum record_python_entry {
	RECORD_PYTHON_ENTRY_EACH, /* each frame has a call of its own (to 3.10) */
	RECORD_PYTHON_ENTRY_FLAG, /* by a byte that isn't 0 (3.11) */
	/* by the next frame, which is none of Python's: its owner byte is entry_owner or more (from
	 * 3.12) */
	RECORD_PYTHON_ENTRY_OWNER,
};

/* Evaluation functions have a hot and a cold part. */
#define RECORD_PYTHON_EVAL_RANGES_MAX 4

/* A target's interpreter. Written by the daemon, read by BPF. Index: slot. Offsets in bytes. */
struct record_python {
	__u64 runtime; /* address of _PyRuntime; 0: there is none */
	__u32 account; /* it is this account's */
	__u32 runtime_interpreters;
	__u32 interpreter_next;
	__u32 interpreter_threads;
	__u32 thread_next;
	__u32 thread_id;
	__u32 thread_frame;
	__u32 cframe_frame;
	__u32 frame_code;
	__u32 frame_previous;
	__u32 frame_instruction;
	__u32 frame_owner;
	__u32 code_instructions;
	__u8 has_cframe;
	__u8 instruction_kind; /* enum record_python_instruction */
	__u8 entry_kind;       /* enum record_python_entry */
	__u8 entry_owner;
	__u8 frame_code_mask; /* bits that are no address */
	__u8 zero[7];
	/* Where its code is mapped, and of that the evaluation function; unused ones are empty. */
	struct record_python_range {
		__u64 start;
		__u64 end; /* exclusive */
	} code, eval_ranges[RECORD_PYTHON_EVAL_RANGES_MAX];
};

/* ---- Events through the ring buffer ---- */

enum record_event_kind {
	RECORD_EVENT_STACK = 1,
	RECORD_EVENT_MAPPING,
	RECORD_EVENT_LOADER,
	RECORD_EVENT_EXEC,
	RECORD_EVENT_EXIT,
	RECORD_EVENT_FORK,
	RECORD_EVENT_OOM,
};

struct record_event {
	__u32 kind; /* enum record_event_kind */
	__u32 slot;
	__u32 account;
	__u32 pid; /* thread group */
};

/*
 * A site was made: this is its stack, innermost frame first: as return addresses, and behind them
 * as RECORD_PYTHON_WORD()s.
 */
struct record_event_stack {
	struct record_event event;
	__u32 site;
	__u32 frame_count;
	__u32 end;          /* enum record_stack_end */
	__u32 python_count; /* of Python frames */
	__u32 python_end;   /* enum record_python_end */
	__u32 zero;
	__u64 frames[RECORD_STACK_WORDS_MAX]; /* only as many as there are are sent */
};

/*
 * A mapping call succeeded. site is the number + 1, of RECORD_OPERATION_MAP and _REMAP; 0: none was
 * asked for (reservations, an allocator's own mappings), or none could be had (lost_sites).
 */
struct record_event_mapping {
	struct record_event event;
	__u32 operation; /* enum record_operation */
	__u32 site;
	__u64 address; /* result of mmap and mremap; argument of munmap */
	__u64 length_bytes;
	__u64 old_address; /* mremap */
	__u64 old_length_bytes;
	__u32 protection; /* PROT_*, mmap only */
	__u32 flags;      /* MAP_* or MREMAP_* */
	__s32 fd;
	__u32 is_inside_allocator; /* an allocator asked for it on its own behalf */
};

/* exec: the account of the event ended, new_account has begun. */
struct record_event_exec {
	struct record_event event;
	__u32 new_account;
	__u32 is_leader_changed; /* another thread than the leader called exec and took its pid */
	__u32 uid;               /* who may look into the new program: 0 when it is not dumpable */
	__u32 zero;
	struct record_target_counters counters; /* the slot's, as the account ended */
};

/* fork of a target: event.pid is the parent's. */
struct record_event_fork {
	struct record_event event;
	__u32 child_pid;
	__u32 shares_memory; /* vfork, or clone with CLONE_VM: the breakpoints are the parent's own
			      */
};

#define RECORD_CGROUP_DEPTH  8
#define RECORD_CGROUP_LENGTH 64

struct record_event_oom {
	struct record_event event;
	__u64 time_ns; /* CLOCK_BOOTTIME */
	__u64 total_vm_bytes;
	__u64 rss_anon_bytes;
	__u64 rss_file_bytes;
	__u64 rss_shmem_bytes;
	__u64 swap_bytes;
	__u64 page_tables_bytes;
	__u32 uid;
	__s32 oom_score_adj;
	__u32 has_rss; /* this kernel says the sizes above at the tracepoint */
	__u32 cgroup_depth;
	char comm[RECORD_COMM_LENGTH];
	/* innermost first; the root has an empty name */
	char cgroup[RECORD_CGROUP_DEPTH][RECORD_CGROUP_LENGTH];
};

/*
 * ---- One thread, as the task iterator writes it ----
 * The leader (thread == pid) brings what belongs to the whole process and the faults of its dead
 * threads; every other thread brings its own faults alone. Readers add up by pid.
 */

struct record_process {
	__u32 pid;
	__u32 thread;
	__u32 parent_pid;
	__u32 uid; /* effective, in the initial user namespace */
	__u32 thread_count;
	__u32 is_kernel_thread;
	__u64 start_boottime_ns; /* since boot, time asleep included */
	__u64 minor_faults;
	__u64 major_faults;
	__u64 rss_anon_bytes;
	__u64 rss_file_bytes;
	__u64 rss_shmem_bytes;
	__u64 swap_bytes;
	__u64 peak_rss_bytes;
	__u64 total_vm_bytes;
	char comm[RECORD_COMM_LENGTH];
};

/*
 * ---- Trying an attach back end (trial.bpf.c) ----
 * Who calls the probed function; it is the function's argument and result.
 */

enum record_trial_caller {
	RECORD_TRIAL_MAIN_THREAD,
	RECORD_TRIAL_EARLY_THREAD, /* runs already when the probes come */
	RECORD_TRIAL_LATE_THREAD,
	RECORD_TRIAL_SKIPS_RETURN, /* the entry asks for no return probe, where it can */
	RECORD_TRIAL_STRANGER,     /* another process */
	RECORD_TRIAL_CALLERS,
};

#endif
