/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The thread that reads Python processes: looks for their interpreters, and for what the code
 * objects in their stacks are called. It holds no lock while it reads, and nobody waits for it but
 * a watch that begins, for a while.
 */
#ifndef MEMWATCH_PYTHON_READER_H
#define MEMWATCH_PYTHON_READER_H

#include "view/state.h"

struct python_reader;
/* From now on state_wake_followers() and state_wake_python_reader() reach it. 0 or -errno. */
int python_reader_start(struct state *state, struct python_reader **reader);
/* NULL is fine. */
void python_reader_stop(struct python_reader *reader);

#endif
