/* SPDX-License-Identifier: Apache-2.0 */
/* A place in a file that carries a probe. */
#ifndef MEMWATCH_PROBE_POINT_H
#define MEMWATCH_PROBE_POINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct probe_point {
	uint64_t file_offset;
	uint64_t cookie;
	/* Where the file keeps the probe's semaphore (USDT), which the link raises; 0: none. */
	uint64_t reference_counter_offset;
	/*
	 * The function's meaning needs its return: at the file offset the return address is on top
	 * of the stack. Without it nothing may be attached that makes the kernel look for a return
	 * address: a return probe, or a session.
	 */
	bool needs_return;
};

#endif
