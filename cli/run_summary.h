/* SPDX-License-Identifier: Apache-2.0 */
/* What `run` says when its program has ended: how it ended, and what its account knows. */
#ifndef MEMWATCH_CLI_RUN_SUMMARY_H
#define MEMWATCH_CLI_RUN_SUMMARY_H

#include "client.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct run_end {
	pid_t pid;
	const char *name; /* of the program, as it was asked for */
	int status;       /* exit status, or the signal's number */
	bool is_killed;   /* by that signal */
	double seconds;
	double peak_rss_bytes; /* of the largest process: it, or a child that it waited for */
};

/* Fetched while the process is still to be reaped, so that its number is not another's. */
struct run_account {
	struct client_answer by_outstanding, by_allocated; /* empty: none could be had */
	struct client_error error;                         /* then */
};

void run_account_fetch(struct run_account *account, struct client *client, pid_t pid);
void run_account_release(struct run_account *account);

/* On standard error; account NULL: it ran unwatched. */
void run_summary_show(const struct run_end *end, const struct run_account *account);
/* The same as one line of JSON. */
void run_summary_show_json(const struct run_end *end, const struct run_account *account);

#endif
