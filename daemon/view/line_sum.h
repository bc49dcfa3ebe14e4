/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of the grouping: the arithmetic of sums. */
#ifndef MEMWATCH_VIEW_LINE_SUM_H
#define MEMWATCH_VIEW_LINE_SUM_H

#include "view/line_groups.h"

/* Sites state their error with two samples added each; of a sum they are added once. */
struct line_sum line_sum_of_site(const struct answer_site *site, uint64_t sampling_interval_bytes);
int64_t line_sum_bytes(int64_t a, int64_t b);

#endif
