/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel lets us attach by: the back end is chosen at the start, and its probes timed. */
#ifndef MEMWATCH_ATTACHING_H
#define MEMWATCH_ATTACHING_H

#include "config.h"
#include "view/state.h"

/* Sets the state's object and its back end. 0 or -errno, which has been logged. */
int attaching_open(const struct config *config, struct state *state);
/* Times the probes on children of our own; what fails is logged and lived with. */
void attaching_calibrate(struct state *state);

#endif
