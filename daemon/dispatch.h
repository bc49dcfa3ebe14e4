/* SPDX-License-Identifier: Apache-2.0 */
/* Which room hears of which event, and what happens once a second. */
#ifndef MEMWATCH_DISPATCH_H
#define MEMWATCH_DISPATCH_H

#include "view/state.h"

/* A probe_event_fn; context is the state. Under the lock. */
void dispatch_event(void *context, const struct record_event *event, size_t bytes);
/* Handles what is in the ring buffer. Takes the lock itself. */
void dispatch_events(struct state *state);
/* Once a second. Takes the lock itself. */
void dispatch_tick(struct state *state);

#endif
