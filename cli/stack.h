/* SPDX-License-Identifier: Apache-2.0 */
/* A stack as text: one line per frame, innermost first, what it is on the left, where on the right.
 */
#ifndef MEMWATCH_CLI_STACK_H
#define MEMWATCH_CLI_STACK_H

#include "render.h"

#include <cjson/cJSON.h>

/* Says on standard error of how many frames the names of an answer are still to come, if any are.
 */
void stack_complain_pending(const cJSON *answer);
/* site: holds "stack" and "stack_end". */
void stack_show(const struct render *render, const cJSON *site);

#endif
