/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where to probe one ELF file: which allocators it defines, and for each of their functions the
 * address to put the probe on.
 */
#ifndef MEMWATCH_PROBE_PLAN_H
#define MEMWATCH_PROBE_PLAN_H

#include "probe/attach.h"

struct probe_plan {
	struct probe_point *points; /* cookies without the target's slot */
	size_t point_count;
	size_t single_stepped_count; /* of them: no emulated instruction was found */
	char allocators[64];         /* names, comma separated; "" when there are no points */
	bool has_allocator;          /* one that returns blocks, not just the loader */
	/* Of a process that reports its own samples (see contract.h): */
	size_t contract_count; /* of the points */
	/* Where the functions lie that are not probed therefore; end 0: nowhere. */
	uint64_t allocator_begin, allocator_end;
};

/* Examines an open ELF file. 0 (point_count may be 0) or -errno; free by probe_plan_clear(). */
int probe_plan_make(int fd, struct probe_plan *plan);
void probe_plan_clear(struct probe_plan *plan);

#endif
