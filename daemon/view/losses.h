/* SPDX-License-Identifier: Apache-2.0 */
/* The named losses: one table from which every answer takes names and counts. */
#ifndef MEMWATCH_VIEW_LOSSES_H
#define MEMWATCH_VIEW_LOSSES_H

#include "account/account.h"
#include "view/answer.h"

/* All losses of an account, zeros too. Returns an array the answer owns, or NULL (no memory). */
struct answer_loss *losses_of_account(const struct account *account, size_t *count);
struct state;

/* Of the host and of all targets, past and present, summed by name. */
struct answer_loss *losses_of_state(struct state *state, size_t *count);
/* Events of an account that are missing from its numbers. */
uint64_t losses_lost_events(const struct account *account);
/* Adds an ended account's losses to the totals. */
void losses_add_ended(struct record_target_counters *totals, const struct account *account);

/*
 * Why the numbers are not complete, in words; NULL when they are. The caller frees it.
 */
char *losses_explain(const struct account *account);

#endif
