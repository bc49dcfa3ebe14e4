/* SPDX-License-Identifier: Apache-2.0 */
/* One account, or two and what changed between them, by groups: as text and as JSON. */
#ifndef MEMWATCH_CLI_GROUP_REPORT_H
#define MEMWATCH_CLI_GROUP_REPORT_H

#include "groups.h"

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>

enum group_sort {
	GROUP_SORT_CHANGE, /* of outstanding bytes, up or down; without a change: outstanding */
	GROUP_SORT_OUTSTANDING,
	GROUP_SORT_OBJECTS,   /* their change, where there is one */
	GROUP_SORT_ALLOCATED, /* likewise */
};

/* Of that name, which is one of "change", "outstanding", "objects", "allocated". */
enum group_sort group_sort_find(const char *name);

struct group_report_options {
	enum line_group_by group_by;
	const char *file, *function; /* NULL: all */
	bool is_cumulative;          /* with what lines call */
	enum group_sort sort;
	size_t top; /* 0: all */
};

struct group_report;

/* Of accounts as /stacks answers, which are borrowed. before NULL: of one alone. To free. */
struct group_report *group_report_new(const cJSON *before, const cJSON *after,
				      const struct group_report_options *options);
void group_report_free(struct group_report *report);

/* On stdout. */
void group_report_show(const struct group_report *report);
void group_report_show_json(const struct group_report *report);

#endif
