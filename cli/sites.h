/* SPDX-License-Identifier: Apache-2.0 */
/* The account of a process as text: how much is held, how well that is known, and by which sites.
 */
#ifndef MEMWATCH_CLI_SITES_H
#define MEMWATCH_CLI_SITES_H

#include "render.h"

#include <cjson/cJSON.h>

/* "outstanding", "sampling" and so on, a line each; what is missing stands out. */
void sites_show_account(const struct render *render, const cJSON *answer);

/* The first so many sites with their stacks, and a line on those left out. 0: all. */
void sites_show(const struct render *render, const cJSON *answer, size_t top);

#endif
