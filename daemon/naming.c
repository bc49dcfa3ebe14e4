/* SPDX-License-Identifier: Apache-2.0 */
#include "naming.h"

#include "log.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

/* Still a third of what others have who want the same processor: somebody may be waiting. */
#define NICENESS 5

struct naming {
	struct state *state;
	pthread_t thread;
};

/* Of this thread alone, which on Linux is what both calls mean by 0. */
static void stand_back(void)
{
	const struct sched_param parameters = {0};

	if (sched_setscheduler(0, SCHED_BATCH, &parameters) ||
	    setpriority(PRIO_PROCESS, 0, NICENESS))
		log_write(LOG_NOTICE, "names are looked up at full priority: %s", strerror(errno));
}

static void *run(void *context)
{
	const struct state *state = context;

	stand_back();
	namer_run(state->namer);
	return NULL;
}

int naming_start(struct state *state, struct naming **naming)
{
	struct naming *started = calloc(1, sizeof(*started));
	sigset_t all, before;
	int error;

	if (!started)
		return -ENOMEM;
	started->state = state;
	/* Signals are for the main loop. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&started->thread, NULL, run, state);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (error) {
		free(started);
		return -error;
	}
	*naming = started;
	return 0;
}

void naming_stop(struct naming *naming)
{
	if (!naming)
		return;
	module_cache_cancel(naming->state->modules);
	namer_stop(naming->state->namer);
	pthread_join(naming->thread, NULL);
	free(naming);
}
