/* SPDX-License-Identifier: Apache-2.0 */
#include "interrupt.h"

#include <time.h>

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

void interrupt_wait(struct interrupt *interrupt, double seconds)
{
	struct timespec timeout = {.tv_sec = (time_t)seconds};
	int signal;

	timeout.tv_nsec = (long)((seconds - (double)timeout.tv_sec) * 1e9);
	signal = sigtimedwait(&interrupt->signals, NULL, &timeout);
	if (signal > 0) {
		interrupt->count++;
		interrupt->last_signal = signal;
	}
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
