/* SPDX-License-Identifier: Apache-2.0 */
#include "interrupt.h"

#include <time.h>

/* timeout(1) sends its signal twice, to us and to our process group: that is one wish, not two. */
#define INTERRUPT_REPEAT_SECONDS 0.5

void interrupt_begin(struct interrupt *interrupt)
{
	static const int wanted[] = {SIGINT, SIGTERM, SIGHUP};

	*interrupt = (struct interrupt){0};
	sigemptyset(&interrupt->signals);
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		struct sigaction action;

		/* A blocked signal is kept even if it is ignored: those must not be blocked. */
		if (sigaction(wanted[i], NULL, &action) == 0 && action.sa_handler != SIG_IGN)
			sigaddset(&interrupt->signals, wanted[i]);
	}
	sigprocmask(SIG_BLOCK, &interrupt->signals, &interrupt->previous);
}

void interrupt_end(struct interrupt *interrupt)
{
	sigprocmask(SIG_SETMASK, &interrupt->previous, NULL);
}

static void interrupt_take(struct interrupt *interrupt, int signal)
{
	struct timespec now;
	double now_seconds;

	clock_gettime(CLOCK_MONOTONIC, &now);
	now_seconds = (double)now.tv_sec + (double)now.tv_nsec / 1e9;
	if (interrupt->count == 0 ||
	    now_seconds - interrupt->last_seconds > INTERRUPT_REPEAT_SECONDS) {
		interrupt->count++;
		interrupt->last_seconds = now_seconds;
	}
	interrupt->last_signal = signal;
}

void interrupt_wait(struct interrupt *interrupt, double seconds)
{
	struct timespec timeout = {.tv_sec = (time_t)seconds};
	int signal;

	timeout.tv_nsec = (long)((seconds - (double)timeout.tv_sec) * 1e9);
	signal = sigtimedwait(&interrupt->signals, NULL, &timeout);
	if (signal > 0)
		interrupt_take(interrupt, signal);
}

bool interrupt_is_stop(struct interrupt *interrupt)
{
	interrupt_wait(interrupt, 0);
	return interrupt->count > 0;
}

bool interrupt_is_abort(struct interrupt *interrupt)
{
	return interrupt_is_stop(interrupt) &&
	       (interrupt->count > 1 || interrupt->last_signal == SIGHUP);
}
