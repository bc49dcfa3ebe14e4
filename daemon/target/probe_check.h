/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a probe's breakpoint is still in the text of its process: a debugger may take it out. */
#ifndef MEMWATCH_TARGET_PROBE_CHECK_H
#define MEMWATCH_TARGET_PROBE_CHECK_H

#include "probe/attach.h"
#include "symbol/address_space.h"

/*
 * How many of the points have none: where the process's memory is as the file is. memory_fd: of
 * /proc/PID/mem. What can't be read is not missing. space must know where the module is mapped.
 */
size_t probe_check_missing(int memory_fd, const struct address_space *space,
			   const struct module *module, const struct probe_point *points,
			   size_t point_count);

#endif
