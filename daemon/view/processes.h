/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of the views: every process of the host, read from the kernel's iterator. */
#ifndef MEMWATCH_VIEW_PROCESSES_H
#define MEMWATCH_VIEW_PROCESSES_H

#include "view/state.h"
#include "view/view.h"

/*
 * Processes with user memory, largest RSS first, all of them. Takes the state's lock only to see
 * who is a target. 0 or -errno; *answer is the caller's.
 */
int processes_read(struct state *state, const struct view_viewer *viewer,
		   struct answer_processes **answer);

#endif
