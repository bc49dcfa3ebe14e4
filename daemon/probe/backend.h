/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which attach back end is used: the first one that works, and whether it does is tried on a child
 * of our own. Kernels have had back ends that lost the events of all threads but one, so neither a
 * version nor the word of the kernel decides.
 */
#ifndef MEMWATCH_PROBE_BACKEND_H
#define MEMWATCH_PROBE_BACKEND_H

#include "probe/attach.h"

#define PROBE_BACKENDS_MAX 3

struct probe_backend_trial {
	const struct probe_backend *backend;
	bool is_tried;
	bool works;
	char reason[200]; /* why not, "" otherwise */
};

struct probe_backend_choice {
	struct probe_backend_trial trials[PROBE_BACKENDS_MAX]; /* the best back end first */
	size_t trial_count;
	const struct probe_backend *chosen; /* NULL: none works, or none has been tried yet */
};

/* Whether there is a back end of this name. */
bool probe_backend_exists(const char *name);
/* Prepares the choice among all (name NULL), or of the one of this name. */
void probe_backend_choice_init(struct probe_backend_choice *choice, const char *name);
/*
 * Tries those that have not been tried, until one works. Returns it, NULL when none does. Forks:
 * must be called before other threads exist. Takes 0.1 s.
 */
const struct probe_backend *probe_backend_choose(struct probe_backend_choice *choice);
/* The chosen one doesn't work after all. */
void probe_backend_refuse(struct probe_backend_choice *choice, const char *reason);
/* What was tried in vain, and why: "session: ...; multi: ...". */
void probe_backend_explain(const struct probe_backend_choice *choice, char *text, size_t size);

/* For probe_backend_choose() alone, in trial.c. Returns whether it works, or else the reason. */
bool probe_backend_try(const struct probe_backend *backend, char *reason, size_t size);

#endif
