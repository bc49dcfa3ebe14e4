/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SIGINT, SIGTERM and SIGHUP as facts to ask for while something must be tidied up afterwards. They
 * are blocked and taken one by one, so nothing happens behind anybody's back. One that was ignored
 * when the program started (nohup) stays ignored.
 */
#ifndef MEMWATCH_CLI_INTERRUPT_H
#define MEMWATCH_CLI_INTERRUPT_H

#include <signal.h>
#include <stdbool.h>

struct interrupt {
	sigset_t signals;    /* blocked and looked for */
	sigset_t previous;   /* the mask to go back to */
	int count;           /* how often somebody wanted to stop */
	double last_seconds; /* when last, on the monotonic clock */
	int last_signal;
};

void interrupt_begin(struct interrupt *interrupt);
/* Back to how signals were. One that came in between and was not looked for takes effect now. */
void interrupt_end(struct interrupt *interrupt);

/* Waits for a signal, for so long at most. */
void interrupt_wait(struct interrupt *interrupt, double seconds);
/* Somebody wants to stop: finish early and report. */
bool interrupt_is_stop(struct interrupt *interrupt);
/* They insist (a second signal), or the terminal is gone: only tidy up. */
bool interrupt_is_abort(struct interrupt *interrupt);

#endif
