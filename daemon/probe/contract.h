/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Contract probes of an ELF file: the USDT probes by which a process reports its own heap samples
 * (provider otel_memory; the contract and its source are in bpf/contract.h).
 */
#ifndef MEMWATCH_PROBE_CONTRACT_H
#define MEMWATCH_PROBE_CONTRACT_H

#include "probe/object.h"
#include "probe/plan.h"

#include "record.h"

#define CONTRACT_PROVIDER "otel_memory"

/*
 * The compiler makes one probe of each place that it inlines a sampler into; real ones have one or
 * a few. A file with more is not watched by them.
 */
#define CONTRACT_POINTS_MAX 256
/* Of all files of one target. */
#define CONTRACT_TARGET_POINTS_MAX 1024

struct contract_point {
	uint64_t file_offset;
	uint64_t semaphore_file_offset;
	uint32_t operation; /* RECORD_OPERATION_CONTRACT_* */
	struct record_usdt_arguments arguments;
};

struct contract {
	struct contract_point *points; /* each place once */
	size_t point_count;
	size_t refused_allocations; /* alloc probes that cannot be used */
	/*
	 * Why some cannot be used, or why none of the file is: static, NULL when all is well.
	 * Without every free probe blocks would seem to live for ever.
	 */
	const char *reason;
	/* It reports allocations and every free of them. */
	bool is_usable;
};

/* Examines an open ELF file. 0 (it may have none), or -errno; free by contract_clear(). */
int contract_read(int fd, struct contract *contract);
void contract_clear(struct contract *contract);

/*
 * Makes the plan of a file in a process that is watched by contract probes: takes the allocator's
 * functions out (mmap, munmap, mremap and the loader stay), puts the file's contract probes in.
 * points_max: what the target may still have. 0, -E2BIG beyond that, -ENOSPC when the kernel's
 * table of arguments is full, other -errno; contract_release() in any case before the plan is
 * cleared, when its link has gone.
 */
int contract_apply(struct probe_object *object, const struct contract *contract, size_t points_max,
		   struct probe_plan *plan);
void contract_release(struct probe_object *object, const struct probe_plan *plan);

/*
 * Whether the code at this offset of the planned file is its allocator's, whose functions are not
 * probed: what it maps is for blocks that the process reports itself.
 */
bool contract_is_allocator_code(const struct probe_plan *plan, uint64_t file_offset);

#endif
