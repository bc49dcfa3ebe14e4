/* SPDX-License-Identifier: Apache-2.0 */
/* The account of a process as text: how much is held, how well that is known, and by which sites.
 */
#ifndef MEMWATCH_CLI_SITES_H
#define MEMWATCH_CLI_SITES_H

#include "render.h"

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>

/* "outstanding", "sampling" and so on, a line each; what is missing stands out. */
void sites_show_account(const struct render *render, const cJSON *answer);

struct sites_view {
	size_t top;        /* the first so many; 0: all */
	bool stacks_whole; /* not folded where one repeats another, or itself */
};

/* Sites with their stacks, and a line on those left out. */
void sites_show(const struct render *render, const cJSON *answer, const struct sites_view *view);

#endif
