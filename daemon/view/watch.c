/* SPDX-License-Identifier: Apache-2.0 */
/* watch and unwatch: who is a target, and for whom. */
#include "clock.h"
#include "probe/contract.h"
#include "view/sites.h"
#include "view/state.h"
#include "view/view.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

__attribute__((format(printf, 2, 3))) static void set_error(struct view_error *error,
							    const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(error->message, sizeof(error->message), format, arguments);
	va_end(arguments);
}

/* How long an answer waits for them. */
#define UNWIND_TABLES_SECONDS_MAX 2

static int check_viewer(const struct view_viewer *viewer, pid_t pid, struct view_error *error)
{
	struct process_identity identity;

	if (process_identify(pid, &identity)) {
		set_error(error, "there is no process %d", (int)pid);
		return -ESRCH;
	}
	if (viewer_sees(viewer, identity.uid))
		return 0;
	set_error(error,
		  "process %d belongs to user %u: only root, members of the socket's group and "
		  "that user may watch it",
		  (int)pid, (unsigned)identity.uid);
	return -EPERM;
}

/* Half of the targets are kept for those who see all: no user can keep them from watching. */
static int check_room(struct state *state, const struct view_viewer *viewer,
		      struct view_error *error)
{
	size_t max = (target_max(state->targets) + 1) / 2, count = 0, cursor = 0;
	const struct target *target;

	while ((target = target_next(state->targets, &cursor)))
		count += !target->is_for_all;
	for (size_t i = 0; i < state->retries.count; i++)
		count += !state->retries.retries[i].is_for_all;
	if (viewer->sees_all || count < max)
		return 0;
	set_error(error,
		  "users other than root watch %zu processes already, the most that targets_max "
		  "allows them",
		  count);
	return -ENOSPC;
}

/* Attaches its probes, without the lock meanwhile. Returns whether the target is still there. */
static bool attach_probes(struct state *state, struct target *target)
{
	struct target_work *work;

	/* Again for what was mapped meanwhile, also by another program that it has executed. */
	while ((work = target_work_take(state->targets, target))) {
		pthread_mutex_unlock(&state->lock);
		target_work_run(work);
		pthread_mutex_lock(&state->lock);
		if (!state_work_done(state, work))
			return false;
	}
	return true;
}

/*
 * Before its probes go in: from then on its stacks are whole. Very large libraries may take longer
 * than is waited for; then the first stacks are marked. Returns whether the target is still there.
 */
static bool await_stacks(struct state *state, struct target *target)
{
	const pid_t pid = target->identity.pid;
	const uint64_t cookie = target->cookie;
	struct timespec until;

	target_refresh_space(target);
	state_wake_followers(state);
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += UNWIND_TABLES_SECONDS_MAX;
	while ((target = target_by_pid(state->targets, pid)) && target->cookie == cookie &&
	       (target->is_unwind_pending || target->is_python_pending))
		if (pthread_cond_timedwait(&state->attached, &state->lock, &until))
			break;
	target = target_by_pid(state->targets, pid);
	return target && target->cookie == cookie;
}

static int refuse_interval(pid_t pid, struct view_error *error)
{
	set_error(error,
		  "process %d draws its heap samples itself (USDT otel_memory): an interval, or "
		  "counting every block, cannot be asked of it; leave that out",
		  (int)pid);
	return -EBUSY;
}

/* interval_bytes 0: the default, or none where the process draws its samples itself. */
static int start_watch(struct state *state, pid_t pid, uint64_t interval_bytes,
		       struct target **target, struct view_error *error)
{
	struct process_error reason = {""};
	uint64_t interval_or_default =
		interval_bytes ? interval_bytes : state->sampling_interval_bytes;
	int result = target_watch(state->targets, pid, interval_or_default, target, &reason);

	if (result) {
		set_error(error, "%s", reason.message);
		return result;
	}
	if (!account_open(state->accounts, *target, NULL)) {
		target_unwatch(state->targets, *target);
		account_expect_orphans(state->accounts);
		set_error(error, "out of memory");
		return -ENOMEM;
	}
	if (!await_stacks(state, *target) || !attach_probes(state, *target)) {
		set_error(error, "process %d has exited or was unwatched as its watch began",
			  (int)pid);
		return -ESRCH;
	}
	result = target_check_watched(*target, &reason);
	set_error(error, "%s", reason.message);
	if (!result && interval_bytes && (*target)->is_contract)
		result = refuse_interval(pid, error);
	(*target)->is_new = false;
	pthread_cond_broadcast(&state->attached);
	if (!result) {
		state_start_governor(state);
		return 0;
	}
	account_discard(state->accounts, account_by_number(state->accounts, (*target)->account));
	target_unwatch(state->targets, *target);
	return result;
}

/* The target of a pid, once it is known whether it can be one. */
static struct target *find_target(struct state *state, pid_t pid)
{
	struct target *target;

	while ((target = target_by_pid(state->targets, pid)) && target->is_new)
		pthread_cond_wait(&state->attached, &state->lock);
	return target;
}

static int check_interval(const struct target *target, uint64_t wanted_bytes,
			  struct view_error *error)
{
	if (wanted_bytes && target->is_contract)
		return refuse_interval(target->identity.pid, error);
	if (!wanted_bytes || wanted_bytes == target->asked_interval_bytes ||
	    wanted_bytes == target->sampling_interval_bytes)
		return 0;
	set_error(
		error,
		"process %d is already watched with a sampling interval of %llu bytes (1: exact): "
		"unwatch it first",
		(int)target->identity.pid, (unsigned long long)target->sampling_interval_bytes);
	return -EBUSY;
}

/* The process may have executed a program of another user since check_viewer looked. */
static int check_target(struct state *state, const struct view_viewer *viewer,
			struct target *target, bool is_new, struct view_error *error)
{
	if (viewer_sees(viewer, target->identity.uid))
		return 0;
	set_error(error, "process %d belongs to another user now", (int)target->identity.pid);
	if (is_new)
		state_end_target(state, target, "unwatched");
	return -EPERM;
}

/* What the caller lets its probes cost. A word about it wins over what was said before. */
static void set_budget(struct state *state, struct target *target,
		       const struct view_watch_options *options, uint64_t lease_id, bool is_new)
{
	double share = options->budget_share;
	bool is_said = share > 0;

	if (!is_said)
		share = options->is_retried ? state->budget_by_policy_share
					    : state->budget_by_hand_share;
	if (lease_id && (is_said || lease_id != options->lease_id))
		target_set_lease_budget(target, lease_id, share);
	if (!lease_id && (is_new || is_said || share > target->persistent_budget_share))
		target->persistent_budget_share = share;
}

static int hold_target(struct state *state, struct target *target,
		       const struct view_watch_options *options, struct view_watch_result *result,
		       struct view_error *error)
{
	if (options->lease_seconds <= 0) {
		set_budget(state, target, options, 0, !target->is_persistent);
		target->is_persistent = true;
		if (options->is_retried) {
			target->is_retried = true;
			target->retries = options->retries;
		}
		retry_remove(&state->retries, target->identity.pid);
		return 0;
	}
	result->lease_id = target_lease(state->targets, target, options->lease_id,
					options->lease_seconds, clock_monotonic_seconds());
	if (result->lease_id) {
		set_budget(state, target, options, result->lease_id, false);
		return 0;
	}
	set_error(error, "process %d has %d observers already, the most there can be",
		  (int)target->identity.pid, TARGET_LEASES_MAX);
	return -ENOSPC;
}

int view_watch(struct state *state, const struct view_viewer *viewer, pid_t pid,
	       const struct view_watch_options *options, struct view_watch_result *result,
	       struct view_error *error)
{
	uint64_t interval = options->sampling_interval_bytes;
	struct target *target;
	int status = check_viewer(viewer, pid, error);

	if (status)
		return status;
	if (interval > BUDGET_INTERVAL_BYTES_MAX) {
		set_error(error, "a sampling interval can be 1 GiB at most");
		return -EINVAL;
	}
	memset(result, 0, sizeof(*result));
	state_lock(state);
	target = find_target(state, pid);
	result->was_watched = target != NULL;
	status =
		target ? check_interval(target, interval, error) : check_room(state, viewer, error);
	if (!target && !status)
		status = start_watch(state, pid, interval, &target, error);
	if (!status)
		status = check_target(state, viewer, target, !result->was_watched, error);
	if (!status)
		status = hold_target(state, target, options, result, error);
	if (!status) {
		target->is_for_all |= viewer->sees_all;
		result->provider = target->is_contract ? CONTRACT_PROVIDER : "uprobes";
		result->sampling_interval_bytes =
			target->is_contract ? 0 : target->sampling_interval_bytes;
		result->watched_seconds = clock_monotonic_seconds() - target->watched_since_seconds;
		result->budget_share = state->costs.is_known ? target_budget_share(target) : -1;
	}
	/* What came to nothing leaves nothing behind. */
	state_unlock_and_detach_orphans(state);
	return status;
}

int view_unwatch(struct state *state, const struct view_viewer *viewer, pid_t pid,
		 uint64_t lease_id, struct view_error *error)
{
	int status = check_viewer(viewer, pid, error);
	struct target *target;

	if (status)
		return status;
	state_lock(state);
	target = target_by_pid(state->targets, pid);
	if (!lease_id && retry_remove(&state->retries, pid) && !target) {
		status = 0;
	} else if (!target) {
		set_error(error, "process %d is not watched", (int)pid);
		status = -ENODATA;
	} else if (!target_release(target, lease_id)) {
		state_end_target(state, target, "unwatched");
	}
	state_unlock_and_detach_orphans(state);
	return status;
}
