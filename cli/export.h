/* SPDX-License-Identifier: Apache-2.0 */
/* The formats that other tools read. */
#ifndef MEMWATCH_CLI_EXPORT_H
#define MEMWATCH_CLI_EXPORT_H

#include "stack_tree.h"

#include <stdio.h>

/*
 * Folded stacks, as flamegraph.pl and its kin take them: a line for each stack, "process;outermost;
 * ...;innermost VALUE", sorted; equal ones are one.
 */
void export_folded(FILE *out, const cJSON *answer, enum stack_value value);

/* https://github.com/jlfwong/speedscope/wiki/Importing-from-custom-sources, a sampled profile. */
void export_speedscope(FILE *out, const cJSON *answer, enum stack_value value);

#endif
