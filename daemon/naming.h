/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The thread that looks up names: debug information may take seconds to read, which neither events
 * nor requests wait for. It stands back behind what the host is there for.
 */
#ifndef MEMWATCH_NAMING_H
#define MEMWATCH_NAMING_H

#include "view/state.h"

struct naming;

/* 0 or -errno. */
int naming_start(struct state *state, struct naming **naming);
/* Waits for what is under way, which is cut short. NULL is fine. */
void naming_stop(struct naming *naming);

#endif
