/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of the reports: the groups of one or two accounts, each with what it holds and how that
 * changed. */
#ifndef MEMWATCH_CLI_GROUP_ROWS_H
#define MEMWATCH_CLI_GROUP_ROWS_H

#include "group_report.h"

struct group_values {
	double bytes, bytes_stderr, objects;
	double python_arena_bytes; /* of bytes */
	double allocated_bytes, allocated_objects;
};

struct group_row {
	const struct line_group *group; /* names it; of whichever account has it */
	struct group_values after, change;
};

struct group_report {
	struct group_report_options options;
	const cJSON *before_account; /* NULL: there is one account alone */
	const cJSON *after_account;
	struct groups *before; /* NULL likewise */
	struct groups *after;
	struct group_row *rows; /* sorted, all of them */
	size_t row_count;
	size_t listed; /* the first so many */
};

/* A sum of both accounts, taken by get: what it is, and the change to it. */
typedef const struct line_sum *(*group_get_sum)(const struct line_groups *groups);
struct group_row group_rows_sum(const struct group_report *report, group_get_sum get);

#endif
