/* SPDX-License-Identifier: Apache-2.0 */
#include "view/state.h"

#include "view/losses.h"

void state_lock(struct state *state)
{
	pthread_mutex_lock(&state->lock);
	probe_object_consume(state->object);
}

void state_end_account(struct state *state, struct account *account, const char *reason,
		       const struct record_target_counters *counters)
{
	if (!account || account->end_reason)
		return;
	/* Its end may push an ended account out of the table, this one too when none is kept. */
	account_hold(account);
	account_end(state->accounts, account, reason, counters);
	losses_add_ended(&state->ended_losses, account);
	account_release(account);
}

void state_end_target(struct state *state, struct target *target, const char *reason)
{
	state_end_account(state, account_by_number(state->accounts, target->account), reason, NULL);
	target_unwatch(state->targets, target);
}

bool state_work_done(struct state *state, struct target_work *work)
{
	bool lives = target_work_done(state->targets, work);

	pthread_cond_broadcast(&state->attached);
	return lives;
}

void state_unlock_and_detach_orphans(struct state *state)
{
	struct target_links *orphans = target_orphans_take(state->targets);

	pthread_mutex_unlock(&state->lock);
	if (!orphans)
		return;
	target_orphans_detach(orphans);
	pthread_mutex_lock(&state->lock);
	target_orphans_free(state->targets, orphans);
	pthread_mutex_unlock(&state->lock);
}

void state_detach_orphans(struct state *state)
{
	pthread_mutex_lock(&state->lock);
	state_unlock_and_detach_orphans(state);
}
