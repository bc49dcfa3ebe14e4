/* SPDX-License-Identifier: Apache-2.0 */
#include "view/retry.h"

#include "log.h"

#include <stdlib.h>

/* The delay grows up to so many times the first one; who keeps within budget for as long has made
 * up for the times before. */
#define DELAY_FACTOR_MAX 60

static double delay_seconds(double first_delay_seconds, uint32_t retries)
{
	double delay = first_delay_seconds;
	double longest = DELAY_FACTOR_MAX * first_delay_seconds;

	while (retries-- > 1 && delay < longest)
		delay *= 2;
	return delay < longest ? delay : longest;
}

static void list_add(struct retry_list *list, const struct retry *retry)
{
	struct retry *grown;

	retry_remove(list, retry->identity.pid);
	grown = reallocarray(list->retries, list->count + 1, sizeof(*grown));
	if (!grown) {
		log_write(LOG_ERROR, "process %d: out of memory, it will not be watched again",
			  (int)retry->identity.pid);
		return;
	}
	list->retries = grown;
	list->retries[list->count++] = *retry;
}

void retry_add(struct retry_list *list, const struct target *target, double cost_share,
	       double first_delay_seconds, double now_seconds)
{
	double watched_seconds = now_seconds - target->watched_since_seconds;
	bool was_long = watched_seconds >= DELAY_FACTOR_MAX * first_delay_seconds;
	struct retry retry = {
		.identity = target->identity,
		.sampling_interval_bytes = target->asked_interval_bytes,
		.budget_share = target->persistent_budget_share,
		.cost_share = cost_share,
		.is_for_all = target->is_for_all,
		.retries = was_long ? 1 : target->retries + 1,
	};

	retry.due_seconds = now_seconds + delay_seconds(first_delay_seconds, retry.retries);
	list_add(list, &retry);
}

void retry_put_off(struct retry_list *list, const struct retry *retry, double first_delay_seconds,
		   double now_seconds)
{
	struct retry next = *retry;

	next.retries++;
	next.due_seconds = now_seconds + delay_seconds(first_delay_seconds, next.retries);
	list_add(list, &next);
}

static void list_remove_at(struct retry_list *list, size_t index)
{
	list->count--;
	for (size_t i = index; i < list->count; i++)
		list->retries[i] = list->retries[i + 1];
}

bool retry_remove(struct retry_list *list, pid_t pid)
{
	for (size_t i = 0; i < list->count; i++) {
		if (list->retries[i].identity.pid == pid) {
			list_remove_at(list, i);
			return true;
		}
	}
	return false;
}

bool retry_is_due(const struct retry_list *list, double now_seconds)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->retries[i].due_seconds <= now_seconds)
			return true;
	return false;
}

bool retry_take_due(struct retry_list *list, double now_seconds, struct retry *due)
{
	for (size_t i = 0; i < list->count; i++) {
		if (list->retries[i].due_seconds > now_seconds)
			continue;
		*due = list->retries[i];
		list_remove_at(list, i);
		return true;
	}
	return false;
}

void retry_forget_ended(struct retry_list *list)
{
	for (size_t i = list->count; i-- > 0;)
		if (process_is_over(&list->retries[i].identity))
			list_remove_at(list, i);
}

void retry_list_clear(struct retry_list *list)
{
	free(list->retries);
	*list = (struct retry_list){0};
}
