/* SPDX-License-Identifier: Apache-2.0 */
#include "loop.h"

#include "log.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/poll.h>
#include <unistd.h>

struct loop {
	loop_fn work;
	void *context;
	pthread_t thread;
	int wake_fd;
	bool is_stopping;
};

static void *run(void *context)
{
	struct loop *loop = context;
	struct pollfd waits = {.fd = loop->wake_fd, .events = POLLIN};
	uint64_t wakes;

	while (!__atomic_load_n(&loop->is_stopping, __ATOMIC_ACQUIRE)) {
		int pause_ms = loop->work(loop->context);

		if (poll(&waits, 1, pause_ms) > 0 && read(loop->wake_fd, &wakes, sizeof(wakes)) < 0)
			log_write(LOG_WARN, "reading a thread's eventfd: %s", strerror(errno));
	}
	return NULL;
}

int loop_start(loop_fn work, void *context, struct loop **loop)
{
	struct loop *started = calloc(1, sizeof(*started));
	sigset_t all, before;
	int error;

	if (!started)
		return -ENOMEM;
	*started =
		(struct loop){.work = work, .context = context, .wake_fd = eventfd(0, EFD_CLOEXEC)};
	if (started->wake_fd < 0) {
		error = -errno;
		free(started);
		return error;
	}
	/* Signals are for the main loop. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&started->thread, NULL, run, started);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (error) {
		close(started->wake_fd);
		free(started);
		return -error;
	}
	*loop = started;
	return 0;
}

int loop_wake_fd(const struct loop *loop)
{
	return loop->wake_fd;
}

void loop_wake(struct loop *loop)
{
	uint64_t one = 1;

	/* Full means that it will wake anyway. */
	if (write(loop->wake_fd, &one, sizeof(one)) < 0 && errno != EAGAIN)
		log_write(LOG_WARN, "waking a thread: %s", strerror(errno));
}

void loop_stop(struct loop *loop)
{
	if (!loop)
		return;
	__atomic_store_n(&loop->is_stopping, true, __ATOMIC_RELEASE);
	loop_wake(loop);
	pthread_join(loop->thread, NULL);
	close(loop->wake_fd);
	free(loop);
}
