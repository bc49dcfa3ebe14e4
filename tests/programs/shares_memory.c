/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Another process in the same memory (clone with CLONE_VM, without CLONE_THREAD), which allocates
 * from the same heap under a pid of its own, side by side with a thread of this one.
 */
#include "program.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define STACK_BYTES (256 << 10)
#define PATTERN     0x5a5a5a5a5a5a5a5aUL
#define WORDS       16

SITE(parent_allocates);

static char stack[STACK_BYTES] __attribute__((aligned(16)));
static atomic_long work_left;

CALL_SITE static struct block parent_allocates(size_t bytes)
{
	return block_new(&parent_allocates_site, malloc(bytes), bytes);
}

/* Booked nowhere: it is no call of the watched process. What it writes must stay. */
static void allocate_and_check(void)
{
	unsigned long *block = malloc(WORDS * sizeof(*block));
	size_t i;

	program_require(block, "memory");
	for (i = 0; i < WORDS; i++)
		block[i] = PATTERN;
	for (i = 0; i < WORDS; i++)
		program_require(block[i] == PATTERN, "a block is nobody else's");
	free(block);
}

static int work_in_another_process(void *unused)
{
	(void)unused;
	while (atomic_fetch_sub(&work_left, 1) > 0)
		allocate_and_check();
	return 0;
}

/* Stands still while the process uses this thread's part of the heap and its thread-local storage.
 */
static void *start_process_and_wait(void *unused)
{
	int status = -1;
	pid_t pid = clone(work_in_another_process, stack + sizeof(stack),
			  CLONE_VM | CLONE_FS | CLONE_FILES | SIGCHLD, NULL);

	program_require(pid > 0, "a process that shares the memory");
	program_require(waitpid(pid, &status, 0) == pid && !status, "it ends well");
	return unused;
}

static void share(long rounds)
{
	pthread_t thread;
	long i;

	work_left = rounds;
	program_require(!pthread_create(&thread, NULL, start_process_and_wait, NULL), "a thread");
	for (i = 0; i < rounds / 8 || work_left > 0; i++) {
		struct block block = parent_allocates(120);

		if (i % 8)
			block_free(&block);
	}
	pthread_join(thread, NULL);
}

int main(void)
{
	static const struct command commands[] = {
		{"share", share},
		{NULL, NULL},
	};

	return program_serve(commands);
}
