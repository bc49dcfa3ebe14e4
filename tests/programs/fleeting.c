/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two threads that allocate, in a process that is over, or another program, so many microseconds
 * after it was told. It prints its process id once it runs.
 *   fleeting HOW, then from standard input a line with the microseconds
 */
#include "program.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void *allocate_for_ever(void *unused)
{
	for (;;)
		free(malloc(100));
	return unused;
}

static void *exec_another(void *unused)
{
	execl("/bin/true", "true", (char *)NULL);
	return unused;
}

static void end(const char *how)
{
	pthread_t thread;

	if (!strcmp(how, "exec"))
		exec_another(NULL);
	if (!strcmp(how, "exec_from_thread")) {
		pthread_create(&thread, NULL, exec_another, NULL);
		pthread_join(thread, NULL);
	}
	if (!strcmp(how, "kill"))
		kill(getpid(), SIGKILL);
	/* No handlers, which take long: the threads go on meanwhile. */
	_exit(EXIT_SUCCESS);
}

static const char *how_to_end;

static void end_after(long microseconds)
{
	struct timespec time = {0, microseconds * 1000};

	nanosleep(&time, NULL);
	end(how_to_end);
}

int main(int argc, char **argv)
{
	static const struct command commands[] = {
		{"end_after", end_after},
		{NULL, NULL},
	};
	pthread_t thread;

	program_require(argc == 2, "how to end");
	how_to_end = argv[1];
	program_require(!pthread_create(&thread, NULL, allocate_for_ever, NULL), "a thread");
	return program_serve(commands);
}
