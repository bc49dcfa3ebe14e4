/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of the views: the daemon's own state, for status and the metrics. */
#ifndef MEMWATCH_VIEW_STATUS_H
#define MEMWATCH_VIEW_STATUS_H

#include "view/state.h"
#include "view/view.h"

/* Takes the lock. 0 or -ENOMEM; what it has filled is freed with the answer. */
int status_fill(struct state *state, struct answer_status *answer);

#endif
