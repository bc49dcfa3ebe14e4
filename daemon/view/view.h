/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Questions: one file per question answers it from the daemon's state. Views know neither HTTP nor
 * JSON. Each takes the state's lock for as long as it reads.
 */
#ifndef MEMWATCH_VIEW_VIEW_H
#define MEMWATCH_VIEW_VIEW_H

#include "view/answer.h"

struct state; /* view/state.h: everything the daemon knows */

/* Who asks: decides which processes are visible. */
struct view_viewer {
	uid_t uid;
	bool sees_all; /* root, or in the group of the socket */
};

/*
 * All return 0 and an answer for the caller to free by the function of its type, or:
 * -ESRCH no such process, -EPERM the viewer may not see it, -ENODATA it is not (and was not) a
 * target, -ENOENT no such OOM, -ENOMEM.
 */
struct view_sites_options {
	bool has_verdicts;     /* leaks; else stacks */
	bool is_all;           /* leaks: cache and steady too */
	enum answer_sort sort; /* RSS lists the sites of resident memory, the others those of
				  blocks and mappings */
	bool is_largest_first; /* leaks: by size alone, not by verdict first */
	size_t top;            /* 0: no limit */
};
int view_sites(struct state *state, const struct view_viewer *viewer, pid_t pid,
	       const struct view_sites_options *options, struct answer_sites **answer);
int view_targets(struct state *state, const struct view_viewer *viewer,
		 struct answer_targets **answer);
/* One target; same errors as view_sites. The list holds exactly one. */
int view_target(struct state *state, const struct view_viewer *viewer, pid_t pid,
		struct answer_targets **answer);
/* top: 0 no limit; by RSS, largest first. pid: 0 all, else that process alone. */
int view_processes(struct state *state, const struct view_viewer *viewer, pid_t pid, size_t top,
		   struct answer_processes **answer);
/* id: 0 all. */
int view_ooms(struct state *state, const struct view_viewer *viewer, uint64_t id,
	      struct answer_ooms **answer);
int view_doctor(struct state *state, struct answer_doctor **answer);
int view_status(struct state *state, struct answer_status **answer);
int view_metrics(struct state *state, struct answer_metrics **answer);

/* ---- Changes, asked for by name; the only things here that are no questions ---- */

struct view_watch_options {
	uint64_t sampling_interval_bytes; /* 0: the configured default; 1: exact */
	double lease_seconds; /* > 0: for an observer, ends by itself; 0: until unwatched */
	uint64_t lease_id;    /* renews this lease; 0: a new one */
	/* What its probes may cost, 0.3 for 30%; 0: what is configured; INFINITY: no limit. */
	double budget_share;
	/* By policy: ended over its budget it is watched again after a while. Not with a lease. */
	bool is_retried;
	uint32_t retries; /* how often it was already; for the governor */
};
struct view_watch_result {
	uint64_t lease_id;    /* 0 without a lease */
	bool was_watched;     /* it was a target before this call */
	const char *provider; /* static: "uprobes", "otel_memory" */
	/* In force (the earlier one when was_watched); 0: the process itself draws its samples. */
	uint64_t sampling_interval_bytes;
	double watched_seconds;
	double budget_share; /* in force; INFINITY: no limit; < 0: costs are not known, so none */
};
/* In words why it failed, ready to show: thing, cause, remedy. */
struct view_error {
	char message[400];
};
/*
 * Errors: -ESRCH (no such process, a zombie, exiting), -EINVAL (kernel thread, memwatchd itself),
 * -ENOEXEC (32-bit or no known allocator), -EPERM, -ENOSPC (targets_max), -EBUSY (already watched
 * with another interval, or it draws its samples itself), -ENOTSUP (this kernel lacks what is
 * needed), other -errno.
 */
int view_watch(struct state *state, const struct view_viewer *viewer, pid_t pid,
	       const struct view_watch_options *options, struct view_watch_result *result,
	       struct view_error *error);
/* lease_id 0: ends the watch whoever holds it, and its retries. -ENODATA when it is no target. */
int view_unwatch(struct state *state, const struct view_viewer *viewer, pid_t pid,
		 uint64_t lease_id, struct view_error *error);

#endif
