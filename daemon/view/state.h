/* SPDX-License-Identifier: Apache-2.0 */
/* Everything the daemon knows, under one lock. */
#ifndef MEMWATCH_VIEW_STATE_H
#define MEMWATCH_VIEW_STATE_H

#include "account/account.h"
#include "account/postmortem.h"
#include "probe/backend.h"
#include "symbol/debug_fetcher.h"
#include "target/calibrate.h"
#include "target/target.h"
#include "view/retry.h"

#include <pthread.h>

struct state {
	/* Taken by the main loop while it handles events, and by views while they read. */
	pthread_mutex_t lock;
	/* Probes of some target were attached, or its unwind tables are there, or could not be had.
	 */
	pthread_cond_t attached; /* on the monotonic clock */
	uint64_t unwind_bytes_max;
	/* -1: there is no unwinder yet (unwinder.h), no reader of Python (python_reader.h) */
	int unwinder_wake_fd, python_wake_fd;
	struct probe_object *object;
	struct probe_backend_choice backends; /* never changes after the start */
	const struct probe_backend *backend;  /* the chosen one; NULL: nothing can be watched */
	struct module_cache *modules;
	struct namer *namer;           /* its thread is naming.h's */
	struct debug_fetcher *fetcher; /* NULL: no servers are configured */
	struct target_table *targets;
	struct account_table *accounts;
	struct postmortem_list *postmortems;
	struct probe_costs costs;
	char calibration_error[400];      /* "" when the calibration succeeded */
	double start_time_seconds;        /* Unix time */
	uint64_t sampling_interval_bytes; /* default; changed by SIGHUP, as the next three */
	double budget_by_hand_share, budget_by_policy_share;
	double retry_seconds;
	struct retry_list retries;
	int governor_fd; /* a timer that runs while there is something to govern (governor.h) */
	uint64_t ended_over_budget_total, intervals_raised_total;
	uint32_t metrics_processes_max;
	/* Losses of accounts that have ended, so that totals never fall. */
	struct record_target_counters ended_losses;
	uint64_t lifecycle_losses_seen; /* lost lifecycle events that were made good */
};

/*
 * Takes the lock, as every view does: what the probes have reported until now is handled first, so
 * that an answer covers it.
 */
void state_lock(struct state *state);

/* Ends the watch of a target and its account. Under the lock. */
void state_end_target(struct state *state, struct target *target, const char *reason);
/*
 * Ends the watch of a target and watches the process anew, for the same observers: because what it
 * is watched by has changed. Under the lock.
 */
void state_rewatch_target(struct state *state, struct target *target, const char *reason);
/* The same because it is over its budget, which the answers then explain with these numbers. */
void state_end_over_budget(struct state *state, struct target *target);
/* Looks at targets from now on, until none is left. Under the lock. */
void state_start_governor(struct state *state);
/* Ends the account alone, when the target goes on with another one. */
void state_end_account(struct state *state, struct account *account, const char *reason,
		       const struct record_target_counters *counters);

/* Enters a work's results. Returns whether its target is still there. Under the lock. */
bool state_work_done(struct state *state, struct target_work *work);
/*
 * Some target may have mapped what needs unwind tables, or an interpreter. With or without the
 * lock.
 */
void state_wake_followers(const struct state *state);
/* There are stacks with Python frames that have no names yet. With or without the lock. */
void state_wake_python_reader(const struct state *state);
/* Takes out the links that are on their way, and waits for it. Without the lock. */
void state_detach_orphans(struct state *state);
/* The same, called with the lock, which it gives up. */
void state_unlock_and_detach_orphans(struct state *state);

#endif
