/* SPDX-License-Identifier: Apache-2.0 */
#include "worker.h"

#include "clock.h"
#include "governor.h"
#include "log.h"
#include "target/debugged.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/poll.h>
#include <unistd.h>

/* How long what was put off waits. */
#define PUT_OFF_MS 20

/* Clearing goes over the whole block map: what ends meanwhile is cleared together. */
#define PURGE_PAUSE_SECONDS 1.0

struct worker {
	struct state *state;
	pthread_t thread;
	int wake_fd;
	double purged_seconds; /* monotonic */
	bool is_stopping;
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

static void *work(void *context)
{
	struct worker *worker = context;
	struct pollfd waits = {.fd = worker->wake_fd, .events = POLLIN};
	uint64_t wakes;

	while (!__atomic_load_n(&worker->is_stopping, __ATOMIC_ACQUIRE)) {
		bool is_put_off;

		check_debugged(worker->state);
		is_put_off = attach_all(worker->state);

		governor_try_again(worker->state);
		state_detach_orphans(worker->state);
		release_debugged(worker->state);
		purge(worker);
		if (poll(&waits, 1, is_put_off ? PUT_OFF_MS : -1) > 0 &&
		    read(worker->wake_fd, &wakes, sizeof(wakes)) < 0)
			log_write(LOG_WARN, "reading the worker's eventfd: %s", strerror(errno));
	}
	return NULL;
}

int worker_start(struct state *state, struct worker **worker)
{
	struct worker *started = calloc(1, sizeof(*started));
	sigset_t all, before;
	int error;

	if (!started)
		return -ENOMEM;
	started->state = state;
	started->wake_fd = eventfd(0, EFD_CLOEXEC);
	if (started->wake_fd < 0) {
		error = -errno;
		free(started);
		return error;
	}
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&started->thread, NULL, work, started);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (error) {
		close(started->wake_fd);
		free(started);
		return -error;
	}
	*worker = started;
	return 0;
}

void worker_wake(struct worker *worker)
{
	uint64_t one = 1;

	/* Full means that it will wake anyway. */
	if (write(worker->wake_fd, &one, sizeof(one)) < 0 && errno != EAGAIN)
		log_write(LOG_WARN, "waking the worker: %s", strerror(errno));
}

void worker_stop(struct worker *worker)
{
	if (!worker)
		return;
	__atomic_store_n(&worker->is_stopping, true, __ATOMIC_RELEASE);
	worker_wake(worker);
	pthread_join(worker->thread, NULL);
	close(worker->wake_fd);
	free(worker);
}
