/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/shield.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

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

struct attempt {
	const struct shielded_call *call;
	long result;
	bool is_done;
};

static int make_call(void *context)
{
	struct attempt *attempt = context;
	const unsigned long *arguments = attempt->call->arguments;
	long result = syscall(attempt->call->number, arguments[0], arguments[1], arguments[2],
			      arguments[3], arguments[4]);

	attempt->result = result < 0 ? -errno : result;
	attempt->is_done = true;
	return 0;
}

/*
 * CLONE_VFORK: the caller stands still as long as its thread-local storage and its stack, which
 * holds the other's, are used. No signal at its end: nobody but we wait for it.
 */
static void make_call_in_process(struct attempt *attempt)
{
	char stack[STACK_BYTES] __attribute__((aligned(16)));
	pid_t pid = clone(make_call, stack + sizeof(stack),
			  CLONE_VM | CLONE_FILES | CLONE_FS | CLONE_VFORK, attempt);

	while (pid > 0 && waitpid(pid, NULL, __WCLONE) < 0 && errno == EINTR)
		;
}

long shield_call(const struct shielded_call *call)
{
	struct attempt attempt = {.call = call};
	sigset_t all, before;

	/* Handlers of ours would run there too. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	make_call_in_process(&attempt);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!attempt.is_done)
		make_call(&attempt);
	return attempt.result;
}

void shield_close(int fd)
{
	shield_call(&(struct shielded_call){SYS_close, {(unsigned long)fd}});
}
