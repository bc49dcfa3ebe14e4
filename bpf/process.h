/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A process's memory counters, as /proc/PID/statm adds them up. */
#ifndef MEMWATCH_PROCESS_H
#define MEMWATCH_PROCESS_H

#include "kernel_types.h"

/* More CPUs than this are not added up: the verifier wants a bound. */
#define CPUS_MAX 1024

/* Resident and swapped bytes by kind (index: MM_FILE and its sisters). */
struct process_memory {
	__u64 bytes[MM_COUNTERS];
};

/*
 * Reads the counters of the mm at that kernel address. A function of the linked object rather than
 * an inline one: it is defined in process.bpf.c and verified once. Always returns 0.
 */
int process_read_memory(__u64 mm_address, struct process_memory *memory);

/* From an address of the kernel's per-CPU memory to the instance of that CPU; 0: not known. Only
 * since 6.2, before which nothing here is counted by CPU. */
__u64 process_cpu_offset(__u32 cpu);

/* Set at load. */
extern const volatile __u32 page_size_bytes;
extern const volatile __u32 possible_cpu_count;

#endif
