/* SPDX-License-Identifier: Apache-2.0 */
#include "worker.h"

#include "clock.h"
#include "governor.h"
#include "log.h"
#include "loop.h"
#include "target/debugged.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* How long what was put off waits. */
#define PUT_OFF_MS 20

/* Clearing goes over the whole block map: what ends meanwhile is cleared together. */
#define PURGE_PAUSE_SECONDS 1.0

struct worker {
	struct state *state;
	struct loop *loop;
	double purged_seconds; /* monotonic */
};

/* Returns whether something has to be looked at again soon. */
static bool attach_all(struct state *state)
{
	bool is_put_off = false;
	struct target_work *work;
	size_t cursor = 0;

	for (;;) {
		pthread_mutex_lock(&state->lock);
		work = target_work_next(state->targets, &cursor, &is_put_off);
		pthread_mutex_unlock(&state->lock);
		if (!work)
			return is_put_off;
		target_work_run(work);
		pthread_mutex_lock(&state->lock);
		state_work_done(state, work);
		pthread_mutex_unlock(&state->lock);
	}
}

static void purge(struct worker *worker)
{
	struct state *state = worker->state;
	double now = clock_monotonic_seconds();
	struct account_purge *purge;
	int error;

	if (now - worker->purged_seconds < PURGE_PAUSE_SECONDS)
		return; /* a tick comes each second */
	worker->purged_seconds = now;
	pthread_mutex_lock(&state->lock);
	purge = account_purge_take(state->accounts);
	pthread_mutex_unlock(&state->lock);
	error = purge ? account_purge_run(state->object, purge) : 0;
	if (!error)
		return;
	log_write(LOG_WARN,
		  "what an ended account left in the kernel could not be cleared: %s; memwatchd "
		  "will try again",
		  strerror(-error));
	pthread_mutex_lock(&state->lock);
	account_expect_orphans(state->accounts);
	pthread_mutex_unlock(&state->lock);
}

/* Debuggers that have gone leave nothing to be feared. */
static void release_debugged(struct state *state)
{
	struct debugged *debugged;

	pthread_mutex_lock(&state->lock);
	debugged = target_debugged_take(state->targets);
	pthread_mutex_unlock(&state->lock);
	debugged_close(debugged);
}

static void check_debugged(struct state *state)
{
	struct target_check *checks;

	pthread_mutex_lock(&state->lock);
	checks = target_checks_take(state->targets);
	pthread_mutex_unlock(&state->lock);
	if (!checks)
		return;
	target_checks_run(checks);
	pthread_mutex_lock(&state->lock);
	target_checks_done(state->targets, checks);
	pthread_mutex_unlock(&state->lock);
}

static int work(void *context)
{
	struct worker *worker = context;
	bool is_put_off;

	check_debugged(worker->state);
	is_put_off = attach_all(worker->state);
	state_wake_followers(worker->state);
	governor_try_again(worker->state);
	state_detach_orphans(worker->state);
	release_debugged(worker->state);
	purge(worker);
	return is_put_off ? PUT_OFF_MS : -1;
}

int worker_start(struct state *state, struct worker **worker)
{
	struct worker *started = calloc(1, sizeof(*started));
	int error;

	if (!started)
		return -ENOMEM;
	started->state = state;
	error = loop_start(work, started, &started->loop);
	if (error) {
		free(started);
		return error;
	}
	*worker = started;
	return 0;
}

void worker_wake(struct worker *worker)
{
	loop_wake(worker->loop);
}

void worker_stop(struct worker *worker)
{
	if (!worker)
		return;
	loop_stop(worker->loop);
	free(worker);
}
