/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Breakpoints that nobody listens to: they stand where probes were while a debugger may still write
 * there what it found.
 */
#ifndef MEMWATCH_PROBE_IDLE_PROBE_H
#define MEMWATCH_PROBE_IDLE_PROBE_H

#include "probe/attach.h"

struct idle_probes;

/* At every point of the file, in that process alone. NULL with errno when one can't be had. */
struct idle_probes *idle_probes_open(pid_t pid, const char *path, const struct probe_point *points,
				     size_t point_count);
/* Takes them out, which waits for the kernel, 50 ms or so for each. NULL is fine. */
void idle_probes_close(struct idle_probes *probes);

#endif
