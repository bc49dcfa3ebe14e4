/* SPDX-License-Identifier: Apache-2.0 */
/* Losses, in words that say what they mean for the answer. */
#ifndef MEMWATCH_CLI_LOSS_H
#define MEMWATCH_CLI_LOSS_H

#include "render.h"

#include <cjson/cJSON.h>
#include <stdbool.h>

/* One line for each that happened, those that were made good among them. losses: {"map_full": 3};
 * may be NULL. */
void loss_show(const struct render *render, size_t indent, const cJSON *losses);
/* Is anything missing because of them? */
bool loss_is_any(const cJSON *losses);

#endif
