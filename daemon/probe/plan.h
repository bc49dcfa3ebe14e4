/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where to probe one ELF file: which allocators it defines, and for each of their functions the
 * address to put the probe on, how its return is seen, and what isn't probed for which reason.
 */
#ifndef MEMWATCH_PROBE_PLAN_H
#define MEMWATCH_PROBE_PLAN_H

#include "probe/point.h"

#include <stdbool.h>

/* How the returns of functions are to be seen that return a block. */
enum probe_return_method {
	/* By return probes, but for functions that may throw: those have exit probes. */
	PROBE_RETURN_TRAMPOLINE,
	/* By exit probes alone, each on an instruction that returns; these are single-stepped. */
	PROBE_RETURN_EXITS,
};

enum probe_return_view {
	PROBE_RETURN_UNSEEN, /* none is needed */
	PROBE_RETURN_BY_TRAMPOLINE,
	PROBE_RETURN_BY_EXITS,
};

struct probe_plan_function {
	const char *allocator; /* static: "jemalloc" */
	const char *name;      /* static: "malloc" */
	uint64_t file_offset;
	bool is_probed;        /* here, or under another name */
	bool is_emulated;      /* by the kernel, the instruction that the probe is on */
	uint64_t probe_offset; /* in the file; 0 unless probed under this name */
	enum probe_return_view return_view;
	size_t exit_count;
	char reason[160]; /* of the address, or for not being probed */
};

struct probe_plan {
	struct probe_point *points; /* cookies without the target's slot */
	size_t point_count;
	size_t single_stepped_count; /* of them: no emulated instruction was found, or exits */
	struct probe_plan_function *functions; /* every one that the file defines */
	size_t function_count;
	char allocators[64]; /* names, comma separated; "" when it brings none */
	bool has_allocator;  /* one that returns blocks, not just the loader */
	/* What of its allocations can't be seen, and why; "" when all can. */
	char shortcoming[192];
	/* Of a process that reports its own samples (see contract.h): */
	size_t contract_count; /* of the points */
	/* Where the functions lie that are not probed therefore; end 0: nowhere. */
	uint64_t allocator_begin, allocator_end;
};

/*
 * Examines an open ELF file. 0 (point_count may be 0), -ENOEXEC when it isn't one of this machine,
 * or -errno, and then there are no points; free by probe_plan_clear().
 */
int probe_plan_make(int fd, enum probe_return_method method, struct probe_plan *plan);
void probe_plan_clear(struct probe_plan *plan);

#endif
