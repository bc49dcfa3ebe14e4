/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The thread that does what takes time, so that neither events nor requests wait for it: attaching
 * probes to what targets have mapped, taking probes out, clearing the kernel's tables.
 */
#ifndef MEMWATCH_WORKER_H
#define MEMWATCH_WORKER_H

#include "view/state.h"

struct worker;

/* 0 or -errno. */
int worker_start(struct state *state, struct worker **worker);
/* There may be something to do. From any thread, with or without the lock. */
void worker_wake(struct worker *worker);
/* NULL is fine. */
void worker_stop(struct worker *worker);

#endif
