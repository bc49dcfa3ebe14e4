/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program that is about to start: a child of ours with its number, environment, descriptors and
 * signals, which executes the program when it is told to. Until then it can be watched.
 */
#ifndef MEMWATCH_CLI_LAUNCH_H
#define MEMWATCH_CLI_LAUNCH_H

#include <signal.h>
#include <sys/types.h>

struct launch {
	pid_t pid;
	int go_fd;      /* a byte lets it execute the program; closed: it ends */
	int failure_fd; /* an errno when that failed; closed by the execution */
};

/*
 * arguments end in NULL; mask: the signals that the program finds blocked. 0, or -errno. The child
 * has mapped the program's files, so that whoever watches it knows them before they run.
 */
int launch_begin(struct launch *launch, char **arguments, const sigset_t *mask);
/* Lets it go: 0 when the program runs, or the -errno of its execution: the child has ended then. */
int launch_go(struct launch *launch);
/* Ends it, without the program, and reaps it. */
void launch_abandon(struct launch *launch);

#endif
