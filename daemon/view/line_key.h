/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of the grouping: which stacks and frames are the same group. */
#ifndef MEMWATCH_VIEW_LINE_KEY_H
#define MEMWATCH_VIEW_LINE_KEY_H

#include "view/line_groups.h"

/* kind, frame and frames are set. */
uint64_t line_key_hash(enum line_group_by group_by, const struct line_group *group);
bool line_key_is_same(enum line_group_by group_by, const struct line_group *a,
		      const struct line_group *b);
/* By file, line and function; for an order alone. */
int line_key_compare(const struct line_group *a, const struct line_group *b);

#endif
