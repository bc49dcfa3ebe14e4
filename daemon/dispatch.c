/* SPDX-License-Identifier: Apache-2.0 */
#include "dispatch.h"

#include "account/code_reading.h"
#include "clock.h"
#include "log.h"

#include <string.h>

/* counters: the slot's at the exec, NULL where that was lost. */
static void begin_next_account(struct state *state, struct target *target, uint32_t new_account,
			       bool is_leader_changed, uid_t uid,
			       const struct record_target_counters *counters)
{
	state_end_account(state, account_by_number(state->accounts, target->account), "exec",
			  counters);
	target_handle_exec(state->targets, target, new_account, is_leader_changed, uid);
	if (!account_open(state->accounts, target, counters))
		log_write(LOG_ERROR, "process %d: out of memory for its account after exec",
			  (int)target->identity.pid);
}

static void handle_exec(struct state *state, const struct record_event_exec *event)
{
	struct target *target =
		target_by_account(state->targets, event->event.slot, event->event.account);

	if (!target)
		return;
	/* Who may not look into the new program may not slow it down either. */
	if (event->uid != target->identity.uid && !target->is_for_all) {
		log_write(LOG_NOTICE,
			  "process %d now runs a program of another user: its watch ends",
			  (int)target->identity.pid);
		state_end_target(state, target, "exec of another user's program");
		return;
	}
	begin_next_account(state, target, event->new_account, event->is_leader_changed, event->uid,
			   &event->counters);
	log_write(LOG_NOTICE, "process %d now runs %s: a new account has begun",
		  (int)target->identity.pid, target->identity.comm);
}

static void handle_exit(struct state *state, const struct record_event *event)
{
	struct target *target = target_by_account(state->targets, event->slot, event->account);

	if (!target)
		return;
	log_write(LOG_NOTICE, "process %d (%s) has exited", (int)target->identity.pid,
		  target->identity.comm);
	target->is_over = true;
	state_end_target(state, target, "exited");
}

static void handle_oom(struct state *state, const struct record_event_oom *event)
{
	const struct postmortem *postmortem =
		postmortem_record(state->postmortems, state->accounts, event);

	if (postmortem)
		log_write(LOG_WARN, "process %d (%s) was chosen by the OOM killer%s",
			  (int)postmortem->pid, postmortem->comm,
			  postmortem->account ? "; what it held: memwatchctl oom" : "");
}

/* Every kind with the least size a record of it has. */
static size_t event_bytes_min(uint32_t kind)
{
	switch (kind) {
	case RECORD_EVENT_STACK:
		return offsetof(struct record_event_stack, frames);
	case RECORD_EVENT_MAPPING:
		return sizeof(struct record_event_mapping);
	case RECORD_EVENT_EXEC:
		return sizeof(struct record_event_exec);
	case RECORD_EVENT_FORK:
		return sizeof(struct record_event_fork);
	case RECORD_EVENT_OOM:
		return sizeof(struct record_event_oom);
	default:
		return sizeof(struct record_event);
	}
}

void dispatch_event(void *context, const struct record_event *event, size_t bytes)
{
	struct state *state = context;
	struct target *target;

	if (bytes < event_bytes_min(event->kind))
		return;
	target = target_by_account(state->targets, event->slot, event->account);
	switch (event->kind) {
	case RECORD_EVENT_STACK:
		account_handle_stack(state->accounts, state->targets, (const void *)event);
		if (code_reading_has_wanted(account_table_code_reading(state->accounts)))
			state_wake_python_reader(state);
		break;
	case RECORD_EVENT_MAPPING:
		account_handle_mapping(state->accounts, (const void *)event);
		break;
	case RECORD_EVENT_LOADER:
		if (target)
			target->is_attach_due = target->is_space_due = true;
		break;
	case RECORD_EVENT_EXEC:
		handle_exec(state, (const void *)event);
		break;
	case RECORD_EVENT_EXIT:
		handle_exit(state, event);
		break;
	case RECORD_EVENT_FORK:
		/* With shared memory the breakpoints are the target's own. */
		if (target && !((const struct record_event_fork *)event)->shares_memory)
			target_handle_fork(target, clock_monotonic_seconds());
		break;
	case RECORD_EVENT_OOM:
		handle_oom(state, (const void *)event);
		break;
	default:
		break;
	}
}

/*
 * An exec or exit was lost to a full buffer: the truth is in /proc and in the counters. The exit is
 * reported before /proc shows it, so that one look may be too early: once there have been losses
 * every target is looked at each time.
 */
static void check_lifecycles(struct state *state)
{
	const struct record_host_counters *host = probe_object_host_counters(state->object);
	bool is_new_loss = host->lost_lifecycle_events != state->lifecycle_losses_seen;
	struct target *target;
	size_t cursor = 0;

	if (!host->lost_lifecycle_events)
		return;
	state->lifecycle_losses_seen = host->lost_lifecycle_events;
	if (is_new_loss)
		account_expect_orphans(state->accounts);
	while ((target = target_next(state->targets, &cursor))) {
		uint32_t account = probe_object_counters(state->object)[target->slot].account;

		if (is_new_loss)
			target->is_attach_due = target->is_space_due = true;
		if (process_is_over(&target->identity)) {
			target->is_over = true;
			state_end_target(state, target, "exited");
		} else if (is_new_loss && account != target->account && !target->is_for_all) {
			state_end_target(state, target, "exec"); /* of whose program is not known */
		} else if (is_new_loss && account != target->account) {
			begin_next_account(state, target, account, true, 0, NULL);
		}
	}
}

static void tick_target(struct state *state, struct target *target, double now)
{
	struct account *account = account_by_number(state->accounts, target->account);

	if (target->is_new)
		return;
	if (!target_expire_leases(target, now)) {
		state_end_target(state, target, "unwatched");
		return;
	}
	if (target->is_contract_due) {
		state_rewatch_target(state, target, "it reports its own samples now");
		return;
	}
	target_follow_tracer(target);
	target_advance_generation(state->targets, target, now);
	if (account)
		account_tick(state->accounts, account, now);
}

void dispatch_events(struct state *state)
{
	pthread_mutex_lock(&state->lock);
	probe_object_consume(state->object);
	pthread_mutex_unlock(&state->lock);
}

void dispatch_tick(struct state *state)
{
	double now = clock_monotonic_seconds();
	struct target *target;
	size_t cursor = 0;

	pthread_mutex_lock(&state->lock);
	/* What /proc is compared with is the account as of now. */
	probe_object_consume(state->object);
	check_lifecycles(state);
	while ((target = target_next(state->targets, &cursor)))
		tick_target(state, target, now);
	retry_forget_ended(&state->retries);
	pthread_mutex_unlock(&state->lock);
}
