/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a process's memory is what a layout says: followed from _PyRuntime to the frames of its
 * threads, with every structure on the way checked. Bounded, whatever lies there.
 */
#ifndef MEMWATCH_PYTHON_INSPECT_H
#define MEMWATCH_PYTHON_INSPECT_H

#include "python/layout.h"
#include "python/memory.h"

#include <stddef.h>
#include <sys/types.h>

#define INSPECT_REASON_BYTES 160

struct inspection {
	/* A copy for this process. Its code_type becomes the type that code objects turn out to
	 * have; 0 if none was seen. */
	struct python_layout layout;
	const struct python_memory *memory;
	uint64_t runtime;                  /* address of _PyRuntime */
	pid_t pid;                         /* whose threads there have to be; 0: not checked */
	char reason[INSPECT_REASON_BYTES]; /* what contradicts it, in words */
};

/*
 * Returns 0; -EAGAIN: no interpreter or no thread has begun yet; -EPROTO: it contradicts the
 * layout; -EFAULT: it can't be read. A process that runs changes under the look: what isn't 0 is
 * worth another one.
 */
int inspect_interpreter(struct inspection *inspection);

/*
 * Whether the type object at an address is that of code objects, and has its members (co_filename
 * and so on) where the layout has them. 0, -EPROTO, -EFAULT.
 */
int inspect_code_type(struct inspection *inspection, uint64_t type);

#endif
