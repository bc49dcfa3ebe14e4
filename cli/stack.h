/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stack as text: one line per frame, innermost first, what it is on the left, where on the right.
 * Every frame is there, or a line says exactly which frames stand for it.
 */
#ifndef MEMWATCH_CLI_STACK_H
#define MEMWATCH_CLI_STACK_H

#include "render.h"
#include "stack_fold.h"

#include <cjson/cJSON.h>

/* Says on standard error of how many frames the names of an answer are still to come, if any are.
 */
void stack_complain_pending(const cJSON *answer);
/* Whole. site: holds "stack" and "stack_end". */
void stack_show(const struct render *render, const cJSON *site);

/* The innermost frame that is Python's; NULL: there is none. Borrowed. */
const cJSON *stack_python_frame(const cJSON *site);
/* "load (/srv/train.py:3)" on a line of its own. */
void stack_show_python_line(const struct render *render, const cJSON *frame, size_t indent);

/*
 * Without what repeats: the outermost frames that it shares with a site before it, and further
 * turns of a recursion. number: what the site is called; they rise.
 */
void stack_show_folded(const struct render *render, const cJSON *site, struct stack_fold *fold,
		       size_t number);

#endif
