/* SPDX-License-Identifier: Apache-2.0 */
#include "view/state.h"

#include "clock.h"
#include "log.h"
#include "view/losses.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define GOVERNOR_NS 50000000L

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

static void wake(const int *wake_fd)
{
	int fd = __atomic_load_n(wake_fd, __ATOMIC_ACQUIRE);
	uint64_t one = 1;

	/* Full means that it will wake anyway. */
	if (fd >= 0 && write(fd, &one, sizeof(one)) < 0 && errno != EAGAIN)
		log_write(LOG_WARN, "waking a thread: %s", strerror(errno));
}

void state_wake_followers(const struct state *state)
{
	wake(&state->unwinder_wake_fd);
	wake(&state->python_wake_fd);
}

void state_wake_python_reader(const struct state *state)
{
	wake(&state->python_wake_fd);
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

/* ---- Watching anew ---- */

/* For the same observers. It is known to be one that can be watched: nobody has to wait for that.
 */
static int open_rewatched(struct state *state, const struct target *before, struct target *target)
{
	/* The process may run a program of another user by now, as in exec. */
	if (target->identity.uid != before->identity.uid && !before->is_for_all)
		return -EPERM;
	if (!account_open(state->accounts, target, NULL))
		return -ENOMEM;
	target->is_new = false;
	target->is_persistent = before->is_persistent;
	target->is_for_all = before->is_for_all;
	target->is_retried = before->is_retried;
	target->retries = before->retries;
	target->persistent_budget_share = before->persistent_budget_share;
	memcpy(target->leases, before->leases, sizeof(target->leases));
	return 0;
}

void state_rewatch_target(struct state *state, struct target *target, const char *reason)
{
	const struct target before = *target; /* what it points to goes with the target */
	struct process_error why = {"out of memory, or it belongs to another user now"};
	struct target *again = NULL;
	int error;

	state_end_target(state, target, reason);
	error = target_watch(state->targets, before.identity.pid, before.asked_interval_bytes,
			     &again, &why);
	if (!error) {
		error = open_rewatched(state, &before, again);
		if (error)
			target_unwatch(state->targets, again);
	}
	pthread_cond_broadcast(&state->attached);
	if (!error) {
		log_write(LOG_NOTICE, "process %d (%s): %s; a new account has begun",
			  (int)before.identity.pid, before.identity.comm, reason);
		return;
	}
	account_expect_orphans(state->accounts);
	log_write(LOG_WARN, "process %d (%s) is no longer watched: %s", (int)before.identity.pid,
		  before.identity.comm, why.message);
}

void state_end_over_budget(struct state *state, struct target *target)
{
	struct account *account = account_by_number(state->accounts, target->account);
	double share = target_budget_share(target);
	double cost = budget_over_share(&target->budget);

	if (account)
		snprintf(account->end_detail, sizeof(account->end_detail),
			 "its probes cost %.0f%% of its time, the budget is %.0f%%; use --force to "
			 "go on",
			 100 * cost, 100 * share);
	if (target->is_persistent && target->is_retried)
		retry_add(&state->retries, target, cost, state->retry_seconds,
			  clock_monotonic_seconds());
	state->ended_over_budget_total++;
	state_end_target(state, target, ACCOUNT_ENDED_OVER_BUDGET);
}

void state_start_governor(struct state *state)
{
	const struct itimerspec period = {.it_interval = {.tv_nsec = GOVERNOR_NS},
					  .it_value = {.tv_nsec = GOVERNOR_NS}};

	timerfd_settime(state->governor_fd, 0, &period, NULL);
}
