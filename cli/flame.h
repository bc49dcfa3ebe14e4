/* SPDX-License-Identifier: Apache-2.0 */
/* A flame graph: one picture that is a document of its own, with a script that zooms and searches.
 */
#ifndef MEMWATCH_CLI_FLAME_H
#define MEMWATCH_CLI_FLAME_H

#include "stack_tree.h"

#include <stdbool.h>
#include <stdio.h>

/* A page around it, or the bare picture. Names are escaped: nothing of them is ever executed. */
void flame_write(FILE *out, const cJSON *answer, enum stack_value value, bool is_page);

#endif
