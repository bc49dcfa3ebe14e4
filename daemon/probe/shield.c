/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/shield.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/wait.h>

/*
 * While a fatal signal is pending for the thread that does it, the kernel writes to no process's
 * memory: an attach that is half done then fails, and what it has written already can't be taken
 * out either (kernel/events/uprobes.c: "failed to unregister, leaking uprobe"; access to the
 * page ends with -EINTR in mm/gup.c). SIGKILL to memwatchd goes to all of its threads. So a process
 * of its own does it. It shares our descriptors: when we die it goes on, and as it ends, which is
 * at once, it closes them all as we would have.
 *
 * Only what kills this process too (the OOM killer, which kills all users of a memory; a SIGKILL
 * for a whole cgroup) can still hit the instant.
 */
#define STACK_BYTES (16 << 10)

struct shielded_call {
	long (*function)(void *argument);
	void *argument;
	long result;
	bool is_done;
};

static int run_call(void *context)
{
	struct shielded_call *call = context;

	call->result = call->function(call->argument);
	call->is_done = true;
	return 0;
}

/*
 * CLONE_VFORK: the caller stands still as long as its thread-local storage and its stack, which
 * holds the other's, are used. No signal at its end: nobody but we wait for it.
 */
static void run_in_process(struct shielded_call *call)
{
	char stack[STACK_BYTES] __attribute__((aligned(16)));
	pid_t pid = clone(run_call, stack + sizeof(stack),
			  CLONE_VM | CLONE_FILES | CLONE_FS | CLONE_VFORK, call);

	if (pid > 0)
		waitpid(pid, NULL, __WCLONE);
}

long shield_call(long (*function)(void *argument), void *argument)
{
	struct shielded_call call = {.function = function, .argument = argument};
	sigset_t all, before;

	/* Handlers of ours would run there too. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	run_in_process(&call);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!call.is_done)
		run_call(&call);
	return call.result;
}
