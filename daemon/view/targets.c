/* SPDX-License-Identifier: Apache-2.0 */
/* targets: who is watched, and who was. */
#include "view/targets.h"
#include "account/estimate.h"
#include "clock.h"
#include "view/losses.h"
#include "view/sites.h"
#include "view/state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void fill_numbers(const struct account *account, struct answer_target *answer)
{
	struct site_numbers total;

	account_read_numbers(account, &total);
	answer->outstanding_bytes = total.outstanding_bytes;
	answer->outstanding_objects = total.outstanding_objects;
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
	answer->return_hits = account->hits.returns;
	answer->failed_allocations = account->counters.failed_allocations;
	answer->unknown_frees = account->counters.unknown_frees;
	answer->missed_frees = account->counters.missed_frees;
	answer->abandoned_calls = account->counters.abandoned_calls;
	answer->nested_calls = account->counters.nested_calls;
}

int targets_fill(struct state *state, struct account *account, struct answer_target *answer)
{
	const struct target *target = account->target;

	memset(answer, 0, sizeof(*answer));
	account_update(state->accounts, account);
	answer->pid = account->identity.pid;
	memcpy(answer->comm, account->identity.comm, sizeof(answer->comm));
	answer->uid = account->identity.uid;
	answer->start_time_seconds = account->identity.start_time_seconds;
	answer->watched_seconds = account_observed_seconds(account, clock_monotonic_seconds());
	answer->sampling_interval_bytes = account->sampling_interval_bytes;
	answer->is_ended = account->end_reason != NULL;
	answer->end_reason = account->end_reason;
	answer->backend = state->backend->name;
	answer->probes = account->probe_count;
	answer->probes_single_stepped = account->single_stepped_count;
	if (target) {
		answer->leases = target_lease_count(target);
		answer->is_persistent = target->is_persistent;
	}
	fill_numbers(account, answer);
	answer->overhead_share =
		probe_costs_share(&state->costs, &account->hits,
				  account->sampling_interval_bytes <= 1, answer->watched_seconds);
	answer->losses = losses_of_account(account, &answer->loss_count);
	answer->allocators = strdup(account->allocators);
	return answer->losses && answer->allocators ? 0 : -ENOMEM;
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

int view_targets(struct state *state, const struct view_viewer *viewer,
		 struct answer_targets **answer)
{
	struct answer_targets *made = calloc(1, sizeof(*made));
	int error;

	if (!made)
		return -ENOMEM;
	pthread_mutex_lock(&state->lock);
	error = targets_list(state, viewer, true, made);
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
	pthread_mutex_lock(&state->lock);
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
