/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Views for the tests of serve/: they note how they were called and answer with what the test set.
 * Process 100 is root's and a target, process 200 belongs to uid 65534.
 */
#ifndef MEMWATCH_TESTS_SERVE_FAKE_H
#define MEMWATCH_TESTS_SERVE_FAKE_H

#include "view/view.h"

#include <pthread.h>

#define FAKE_ROOT_PID   100
#define FAKE_NOBODY_PID 200
#define FAKE_NOBODY_UID 65534

/* Bytes that a target may well have in a path or comm: quotes, controls, broken UTF-8. */
#define FAKE_HOSTILE_TEXT "a\"b\\c\nd\x01\x7f\xff\xc3(\xed\xa0\x80\xf0\x9f\x92\xa9"

struct state {
	pthread_mutex_t lock; /* over everything below */
	pthread_cond_t changed;
	int err;             /* what every view returns */
	const char *message; /* what view_watch and view_unwatch say of it */
	size_t site_count;   /* of view_sites */
	bool is_watched;     /* what view_target says after view_unwatch */
	bool is_doctor_held; /* view_doctor waits while it is true */
	bool is_doctor_waiting;
	/* how they were called last */
	struct view_viewer viewer;
	pid_t pid;
	size_t top;
	uint64_t oom_id;
	struct view_sites_options sites_options;
	struct view_lines_options lines_options; /* its strings: the next two */
	char lines_file[64], lines_function[64];
	struct view_watch_options watch_options;
	uint64_t lease_id;
};

#define FAKE_STATE                                                                      \
	{                                                                               \
		.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER, \
		.site_count = 1                                                         \
	}

struct answer_sites *fake_sites(size_t site_count, bool has_verdicts);
struct answer_targets *fake_targets(void);
struct answer_metrics *fake_metrics(void);

#endif
