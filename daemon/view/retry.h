/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Processes whose watch ended over its budget and that will be watched again: after retry_seconds,
 * and after twice as long each further time, up to sixty times as long.
 *
 * Owned by the daemon's state, used under its lock.
 */
#ifndef MEMWATCH_VIEW_RETRY_H
#define MEMWATCH_VIEW_RETRY_H

#include "target/target.h"

#include <stddef.h>

struct retry {
	struct process_identity identity;
	uint64_t sampling_interval_bytes;
	double budget_share;
	double cost_share;  /* what its probes cost the last time */
	bool is_for_all;    /* somebody who may see every process has asked for it */
	uint32_t retries;   /* this one included */
	double due_seconds; /* monotonic */
};

struct retry_list {
	struct retry *retries; /* in the order of their coming */
	size_t count;
};

/* Out of memory it isn't retried, which is logged. */
void retry_add(struct retry_list *list, const struct target *target, double cost_share,
	       double first_delay_seconds, double now_seconds);
/* Tries again later what could not be tried now. */
void retry_put_off(struct retry_list *list, const struct retry *retry, double first_delay_seconds,
		   double now_seconds);
/* Whether it was there. */
bool retry_remove(struct retry_list *list, pid_t pid);
bool retry_is_due(const struct retry_list *list, double now_seconds);
/* Takes the first that is due out of the list. */
bool retry_take_due(struct retry_list *list, double now_seconds, struct retry *due);
/* Forgets processes that are over. */
void retry_forget_ended(struct retry_list *list);
void retry_list_clear(struct retry_list *list);

#endif
