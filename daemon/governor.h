/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The governor: looks at what the probes of each target cost, 20 times a second while there are
 * targets, keeps each within its budget and its share of the tables, and watches again what is to
 * be retried. What it decides is decided in target/budget.h and target/share.h.
 */
#ifndef MEMWATCH_GOVERNOR_H
#define MEMWATCH_GOVERNOR_H

#include "view/state.h"

/* Makes the timer, state->governor_fd. 0 or -errno. */
int governor_open(struct state *state);
/*
 * To be called when the timer is readable, without the lock. Returns whether there is something for
 * the worker: links to take out, or a watch to be tried again.
 */
bool governor_run(struct state *state);
/* Watches again what is due; attaching takes a while. Without the lock. */
void governor_try_again(struct state *state);

#endif
