/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a function's control flow leads: to which instructions it returns by, and whether it only
 * passes on to another function. x86-64; nothing is executed. Hostile input.
 */
#ifndef MEMWATCH_PROBE_FUNCTION_FLOW_H
#define MEMWATCH_PROBE_FUNCTION_FLOW_H

#include "probe/code_source.h"

#define FUNCTION_EXITS_MAX 48

struct function_exits {
	uint64_t offsets[FUNCTION_EXITS_MAX]; /* of the ret instructions, ascending */
	size_t count;
	char reason[96]; /* why they could not all be found: "jump at +35 by a register" */
};

/*
 * Finds each instruction by which a call of the function at the offset can return, in it and where
 * it jumps to, but not in what it calls. False, with the reason, when the flow can't be followed in
 * full. Where it errs, it errs by following too much (past a call that never returns): then an
 * instruction of another function may be among them.
 */
bool function_exits_find(const struct code_source *source, uint64_t offset,
			 struct function_exits *exits);

/*
 * The function that this one jumps to in every case, with its arguments unchanged though they may
 * be in other registers; 0: it does something of its own. Jumps through the procedure linkage table
 * are seen through.
 */
uint64_t function_passes_on_to(const struct code_source *source, uint64_t offset);

/*
 * Whether every call with a non-null first argument goes on to one of the targets, by a jump or a
 * call: one of those; 0 when some way doesn't lead there.
 */
uint64_t function_frees_through(const struct code_source *source, uint64_t offset,
				const uint64_t *targets, size_t count);

#endif
