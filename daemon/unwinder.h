/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The thread that makes unwind tables: the first look at a large library takes a tenth of a second,
 * which neither events nor requests nor the attaching of probes wait for.
 */
#ifndef MEMWATCH_UNWINDER_H
#define MEMWATCH_UNWINDER_H

#include "loop.h"
#include "view/state.h"

/* From now on state_wake_followers() reaches it. 0 or -errno. */
int unwinder_start(struct state *state, struct loop **unwinder);
/* NULL is fine. */
void unwinder_stop(struct state *state, struct loop *unwinder);

#endif
