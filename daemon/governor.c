/* SPDX-License-Identifier: Apache-2.0 */
#include "governor.h"

#include "clock.h"
#include "log.h"
#include "target/share.h"
#include "view/view.h"

#include <errno.h>
#include <sys/timerfd.h>
#include <unistd.h>

/* A look sooner than this after the last one says little of a rate. */
#define LOOK_SECONDS_MIN 0.02

int governor_open(struct state *state)
{
	state->governor_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	return state->governor_fd < 0 ? -errno : 0;
}

/* By us: a process that reports its own samples draws them as it likes. */
static bool is_sampled(const struct target *target)
{
	return target->sampling_interval_bytes > 1 && !target->is_contract;
}

static void raise_interval(struct state *state, struct target *target, uint64_t interval_bytes,
			   const char *reason)
{
	if (interval_bytes > BUDGET_INTERVAL_BYTES_MAX)
		interval_bytes = BUDGET_INTERVAL_BYTES_MAX;
	if (interval_bytes <= target->sampling_interval_bytes)
		return;
	log_write(LOG_NOTICE,
		  "process %d (%s): its sampling interval is raised from %llu to %llu bytes: %s",
		  (int)target->identity.pid, target->identity.comm,
		  (unsigned long long)target->sampling_interval_bytes,
		  (unsigned long long)interval_bytes, reason);
	target_raise_interval(state->targets, target, interval_bytes);
	state->intervals_raised_total++;
}

/* A full table would lose blocks; fewer samples lose none. */
static void keep_within_share(struct state *state, struct target *target)
{
	int64_t blocks = probe_object_counters(state->object)[target->slot].blocks;
	uint64_t limit = probe_object_controls(state->object)[target->slot].blocks_max;

	if (is_sampled(target) && share_is_getting_full(limit, blocks > 0 ? (uint64_t)blocks : 0,
							&target->blocks_used_next))
		raise_interval(state, target, target->sampling_interval_bytes * 2,
			       "its share of the block map is nearly used up");
}

/* What a longer interval can't lower: rather than the watch the RSS profile ends. */
static bool end_rss_profile(struct state *state, struct target *target,
			    const struct budget_look *look)
{
	if (target->rss_refusal || look->rss_seconds < look->probe_seconds / 2)
		return false;
	log_write(
		LOG_NOTICE,
		"process %d (%s): its RSS profile ends: the changes of its resident memory are too "
		"many for its budget",
		(int)target->identity.pid, target->identity.comm);
	target_end_rss(state->targets, target);
	return true;
}

static void keep_within_budget(struct state *state, struct target *target)
{
	double share = target_budget_share(target);
	struct budget_look look;

	target_meter_read(&target->meter, state->object, target->slot, &state->costs,
			  !is_sampled(target), share, &look);
	switch (budget_account(&target->budget, &look, share)) {
	case BUDGET_GO_ON:
		break;
	case BUDGET_LOWER_COST:
		if (end_rss_profile(state, target, &look))
			break;
		if (is_sampled(target))
			raise_interval(state, target,
				       budget_raise_interval(target->sampling_interval_bytes, &look,
							     share),
				       "its probes are over budget");
		break;
	case BUDGET_END:
		log_write(LOG_WARN,
			  "process %d (%s): its probes cost %.0f%% of its time, the budget is "
			  "%.0f%%: its watch ends%s",
			  (int)target->identity.pid, target->identity.comm,
			  100 * budget_over_share(&target->budget), 100 * share,
			  target->is_persistent && target->is_retried ? ", and will be tried again"
								      : "");
		state_end_over_budget(state, target);
		break;
	}
}

static void look_at_target(struct state *state, struct target *target)
{
	double looked_seconds = target->meter.wall_seconds;

	/* One that nobody holds is just coming or going. */
	if (target->is_new || !account_by_number(state->accounts, target->account) ||
	    (!target->is_persistent && !target_lease_count(target)))
		return;
	keep_within_share(state, target);
	if (state->costs.is_known && clock_monotonic_seconds() - looked_seconds >= LOOK_SECONDS_MIN)
		keep_within_budget(state, target);
}

static void try_again(struct state *state, const struct retry *retry)
{
	struct view_watch_options options = {
		.sampling_interval_bytes = retry->sampling_interval_bytes,
		.budget_share = retry->budget_share,
		.is_retried = true,
		.retries = retry->retries,
	};
	struct view_viewer viewer = {.uid = retry->identity.uid, .sees_all = retry->is_for_all};
	pid_t pid = retry->identity.pid;
	struct view_watch_result result;
	struct view_error error;
	int status;

	if (process_is_over(&retry->identity))
		return;
	status = view_watch(state, &viewer, pid, &options, &result, &error);
	if (!status) {
		log_write(LOG_NOTICE, "process %d (%s) is watched again", (int)pid,
			  retry->identity.comm);
		return;
	}
	log_write(LOG_WARN, "process %d (%s) could not be watched again: %s", (int)pid,
		  retry->identity.comm, error.message);
	/* No room, or watched by somebody else in another way: that passes. */
	if (status != -ENOSPC && status != -EBUSY)
		return;
	pthread_mutex_lock(&state->lock);
	retry_put_off(&state->retries, retry, state->retry_seconds, clock_monotonic_seconds());
	pthread_mutex_unlock(&state->lock);
}

static void stop_timer(struct state *state)
{
	const struct itimerspec never = {0};

	timerfd_settime(state->governor_fd, 0, &never, NULL);
}

void governor_try_again(struct state *state)
{
	struct retry retry;
	bool is_due;

	do {
		pthread_mutex_lock(&state->lock);
		is_due = retry_take_due(&state->retries, clock_monotonic_seconds(), &retry);
		pthread_mutex_unlock(&state->lock);
		if (is_due)
			try_again(state, &retry);
	} while (is_due);
}

bool governor_run(struct state *state)
{
	uint64_t ended_before, expirations;
	struct target *target;
	size_t cursor = 0;
	bool is_work_due;

	if (read(state->governor_fd, &expirations, sizeof(expirations)) < 0)
		return false;
	pthread_mutex_lock(&state->lock);
	ended_before = state->ended_over_budget_total;
	target_table_share(state->targets);
	while ((target = target_next(state->targets, &cursor)))
		look_at_target(state, target);
	is_work_due = state->ended_over_budget_total != ended_before ||
		      retry_is_due(&state->retries, clock_monotonic_seconds());
	if (!target_count(state->targets) && !state->retries.count)
		stop_timer(state);
	pthread_mutex_unlock(&state->lock);
	return is_work_due;
}
