/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of the views: targets as data, for the list and for the metrics. Under the lock. */
#ifndef MEMWATCH_VIEW_TARGETS_H
#define MEMWATCH_VIEW_TARGETS_H

#include "view/state.h"
#include "view/view.h"

/* 0 or -ENOMEM (the answer can be freed in both cases). */
int targets_fill(struct state *state, struct account *account, struct answer_target *answer);
/* As of the account's last update. */
struct answer_cost_control targets_cost_control(const struct state *state,
						const struct account *account);
int targets_list(struct state *state, const struct view_viewer *viewer, bool has_ended,
		 struct answer_targets *answer);

#endif
