/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which modules' unwind tables lie in the kernel, and for which target they are mapped where.
 * Tables are made when a target maps a module for the first time, and stay while there is room.
 */
#ifndef MEMWATCH_TARGET_UNWINDING_H
#define MEMWATCH_TARGET_UNWINDING_H

#include "target/target.h"

/* Counted since the start, except the first three; each is read by other threads at any time. */
struct unwind_statistics {
	uint64_t modules;     /* with tables in the kernel */
	uint64_t bytes;       /* of all tables there */
	uint64_t space_bytes; /* of what targets have mapped where, there */
	uint64_t builds;
	double build_seconds;
	uint64_t refused_modules; /* without tables though they have code: no room, broken, too slow
				   */
};

struct unwinding;

struct unwinding *unwinding_new(struct probe_object *object, uint64_t bytes_max);
void unwinding_free(struct unwinding *unwinding);

#endif
