/* SPDX-License-Identifier: Apache-2.0 */
/* Which room hears of which event, and what happens once a second. */
#ifndef MEMWATCH_DISPATCH_H
#define MEMWATCH_DISPATCH_H

#include "view/state.h"

/* A probe_event_fn; context is the state. Under the lock. */
void dispatch_event(void *context, const struct record_event *event, size_t bytes);
/*
 * After a batch of events: what they made necessary. Returns whether some of it was put off and
 * this should be called again soon. Under the lock.
 */
bool dispatch_settle(struct state *state);
/* Once a second. Takes the lock itself. */
void dispatch_tick(struct state *state);

#endif
