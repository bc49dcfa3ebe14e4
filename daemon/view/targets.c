/* SPDX-License-Identifier: Apache-2.0 */
/* targets: who is watched, and who was. */
#include "view/targets.h"
#include "account/estimate.h"
#include "clock.h"
#include "view/losses.h"
#include "view/sites.h"
#include "view/state.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static void fill_numbers(const struct account *account, struct answer_target *answer)
{
	struct site_numbers total;

	account_read_numbers(account, &total);
	answer->outstanding_bytes = total.outstanding_bytes;
	answer->outstanding_objects = total.outstanding_objects;
	answer->allocated_bytes = total.allocated_bytes;
	answer->outstanding_bytes_stderr = estimate_account_stderr_bytes(account, &total);
	for (size_t i = 0; i < account->site_count; i++)
		answer->sites += site_is_used(account->sites[i]);
	if (account->mappings) {
		answer->mappings = mapping_table_count(account->mappings);
		answer->mapping_bytes = mapping_table_bytes(account->mappings);
	}
	answer->blocks = account->counters.blocks > 0 ? (uint64_t)account->counters.blocks : 0;
	answer->allocator_mapping_bytes = account->allocator_mapping_bytes;
	answer->allocation_hits = account->hits.allocations;
	answer->free_hits = account->hits.frees;
	answer->return_hits = account->hits.returns + account->hits.idle_returns;
	answer->failed_allocations = account->counters.failed_allocations;
	answer->unknown_frees = account->counters.unknown_frees;
	answer->missed_frees = account->counters.missed_frees;
	answer->abandoned_calls = account->counters.abandoned_calls;
	answer->nested_calls = account->counters.nested_calls;
}

struct answer_cost_control targets_cost_control(const struct state *state,
						const struct account *account)
{
	const struct budget *budget = &account->budget;
	bool is_known = state->costs.is_known;

	return (struct answer_cost_control){
		.budget_share = is_known ? account->budget_share : -1,
		.recent_share = budget->was_looked_at ? budget->recent_share : -1,
		.is_over = is_known && budget_is_over(budget, account->budget_share),
		.asked_interval_bytes = account->asked_interval_bytes,
		.interval_raises = account->interval_raises,
	};
}

int targets_fill(struct state *state, struct account *account, struct answer_target *answer)
{
	const struct target *target = account->target;

	memset(answer, 0, sizeof(*answer));
	account_update(state->accounts, account);
	answer->pid = account->identity.pid;
	answer->namespace_pid = account->identity.namespace_pid;
	memcpy(answer->comm, account->identity.comm, sizeof(answer->comm));
	answer->uid = account->identity.uid;
	answer->start_time_seconds = account->identity.start_time_seconds;
	answer->watched_seconds = account_observed_seconds(account, clock_monotonic_seconds());
	answer->provider = account_provider(account);
	answer->sampling_interval_bytes = account->sampling_interval_bytes;
	answer->is_ended = account->end_reason != NULL;
	answer->end_reason = account->end_reason;
	answer->backend = state->backend ? state->backend->name : NULL;
	answer->probes = account->probe_count;
	answer->probes_single_stepped = account->single_stepped_count;
	if (target) {
		answer->blocks_max = probe_object_controls(state->object)[target->slot].blocks_max;
		answer->leases = target_lease_count(target);
		answer->is_persistent = target->is_persistent;
		answer->is_retried = target->is_retried;
	}
	fill_numbers(account, answer);
	answer->overhead_share =
		probe_costs_share(&state->costs, &account->hits, account_frees_are_known(account),
				  answer->watched_seconds);
	answer->control = targets_cost_control(state, account);
	answer->losses = losses_of_account(account, &answer->loss_count);
	answer->allocators = strdup(account->allocators);
	answer->end_detail = strdup(account->end_detail);
	if (account->contract_refusal[0])
		answer->provider_reason = strdup(account->contract_refusal);
	return answer->losses && answer->allocators && answer->end_detail ? 0 : -ENOMEM;
}

/* Living ones first, each group newest first. */
static int add_targets(struct state *state, const struct view_viewer *viewer, bool is_ended,
		       struct answer_targets *answer)
{
	struct account *account;
	size_t cursor = 0;

	while ((account = account_next(state->accounts, &cursor))) {
		struct answer_target *grown;
		int error;

		if ((account->end_reason != NULL) != is_ended ||
		    !viewer_sees(viewer, account->identity.uid))
			continue;
		grown = reallocarray(answer->targets, answer->target_count + 1, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		answer->targets = grown;
		error = targets_fill(state, account, &answer->targets[answer->target_count++]);
		if (error)
			return error;
	}
	return 0;
}

int targets_list(struct state *state, const struct view_viewer *viewer, bool has_ended,
		 struct answer_targets *answer)
{
	int error = add_targets(state, viewer, false, answer);

	return error || !has_ended ? error : add_targets(state, viewer, true, answer);
}

static int add_waiting(const struct state *state, const struct view_viewer *viewer,
		       struct answer_targets *answer)
{
	const struct retry_list *list = &state->retries;
	double now = clock_monotonic_seconds();

	answer->waiting = calloc(list->count + 1, sizeof(*answer->waiting));
	if (!answer->waiting)
		return -ENOMEM;
	for (size_t i = 0; i < list->count; i++) {
		const struct retry *retry = &list->retries[i];
		struct answer_waiting *waiting = &answer->waiting[answer->waiting_count];

		if (!viewer_sees(viewer, retry->identity.uid))
			continue;
		*waiting = (struct answer_waiting){
			.pid = retry->identity.pid,
			.uid = retry->identity.uid,
			.due_seconds = fmax(retry->due_seconds - now, 0),
			.retries = retry->retries,
			.cost_share = retry->cost_share,
			.budget_share = retry->budget_share,
		};
		memcpy(waiting->comm, retry->identity.comm, sizeof(waiting->comm));
		answer->waiting_count++;
	}
	return 0;
}

int view_targets(struct state *state, const struct view_viewer *viewer,
		 struct answer_targets **answer)
{
	struct answer_targets *made = calloc(1, sizeof(*made));
	int error;

	if (!made)
		return -ENOMEM;
	state_lock(state);
	error = targets_list(state, viewer, true, made);
	error = error ? error : add_waiting(state, viewer, made);
	pthread_mutex_unlock(&state->lock);
	if (error)
		answer_targets_free(made);
	else
		*answer = made;
	return error;
}

int view_target(struct state *state, const struct view_viewer *viewer, pid_t pid,
		struct answer_targets **answer)
{
	struct answer_targets *made = calloc(1, sizeof(*made));
	struct account *account;
	int error;

	if (!made)
		return -ENOMEM;
	made->targets = calloc(1, sizeof(*made->targets));
	state_lock(state);
	error = viewer_find_account(state, viewer, pid, &account);
	if (!error && !made->targets)
		error = -ENOMEM;
	if (!error) {
		made->target_count = 1;
		error = targets_fill(state, account, &made->targets[0]);
	}
	pthread_mutex_unlock(&state->lock);
	if (error)
		answer_targets_free(made);
	else
		*answer = made;
	return error;
}
