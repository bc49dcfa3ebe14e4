/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Holds the next thread that some threads of another process start before a system call of one's
 * choice, by ptrace, so that what else happens at that moment can be chosen too.
 *   stepper PROCESS NAME, the name of those threads
 */
#include "tracing.h"

#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <unistd.h>

#define SYSCALL_STOP (SIGTRAP | 0x80)
#define CLONE_STOP   (SIGTRAP | PTRACE_EVENT_CLONE << 8)

static pid_t process;
static const char *name;
static struct thread_list starters; /* 0: not of that name; they run on */
static pid_t thread;                /* the new one, stopped; 0: there is none (any more) */

static void go_on(pid_t traced)
{
	program_require(!ptrace(PTRACE_CONT, traced, NULL, NULL), "go on");
}

static bool has_name(pid_t tid)
{
	char path[64], text[32] = "";
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/comm", (int)process, (int)tid);
	file = fopen(path, "re");
	if (!file)
		return false;
	program_require(fgets(text, sizeof(text), file), "a name");
	fclose(file);
	text[strcspn(text, "\n")] = '\0';
	return !strcmp(text, name);
}

static void seize(long unused)
{
	size_t i;

	(void)unused;
	thread = 0;
	thread_list_read(&starters, process);
	for (i = 0; i < starters.count; i++)
		if (!has_name(starters.threads[i]) ||
		    ptrace(PTRACE_SEIZE, starters.threads[i], NULL, PTRACE_O_TRACECLONE))
			starters.threads[i] = 0;
}

static bool is_starter(pid_t traced)
{
	size_t i;

	for (i = 0; i < starters.count; i++)
		if (starters.threads[i] == traced)
			return true;
	return false;
}

/* It stops at its first instruction, and who started it at the call that did. */
static void wait_for_new_thread(void)
{
	bool is_start_seen = false;
	pid_t traced;
	int status;

	while (!thread || !is_start_seen) {
		traced = waitpid(-1, &status, __WALL);
		program_require(traced > 0, "a thread stops or ends");
		if (!WIFSTOPPED(status))
			continue; /* of an earlier request */
		if (!is_starter(traced)) {
			thread = traced;
			continue;
		}
		is_start_seen = is_start_seen || status >> 8 == CLONE_STOP;
		go_on(traced);
	}
	/* Not those that it starts in turn. */
	program_require(!ptrace(PTRACE_SETOPTIONS, thread, NULL, PTRACE_O_TRACESYSGOOD), "options");
}

static bool is_entering_call(void)
{
	struct __ptrace_syscall_info info;

	program_require(ptrace(PTRACE_GET_SYSCALL_INFO, thread, sizeof(info), &info) > 0,
			"which system call");
	return info.op == PTRACE_SYSCALL_INFO_ENTRY;
}

/* Runs on until it enters a system call; false: it has ended. */
static bool run_to_call(void)
{
	int status;

	do {
		program_require(!ptrace(PTRACE_SYSCALL, thread, NULL, NULL), "go on");
		program_require(waitpid(thread, &status, __WALL) == thread, "a thread of ours");
		if (!WIFSTOPPED(status))
			return false;
	} while (WSTOPSIG(status) != SYSCALL_STOP || !is_entering_call());
	return true;
}

/* Holds the next new thread as it enters its so manieth system call, if it lives to make it. */
static void hold_before_call(long calls)
{
	wait_for_new_thread();
	while (calls-- > 0) {
		if (!run_to_call()) {
			thread = 0;
			ledger_count("ends", 1);
			return;
		}
	}
}

static void let_go_on_untraced(pid_t traced)
{
	int status;

	if (ptrace(PTRACE_INTERRUPT, traced, NULL, NULL) ||
	    waitpid(traced, &status, __WALL) != traced || !WIFSTOPPED(status))
		return; /* it has ended */
	program_require(!ptrace(PTRACE_DETACH, traced, NULL, NULL), "detach");
}

static void leave(long unused)
{
	size_t i;

	(void)unused;
	if (thread)
		program_require(!ptrace(PTRACE_DETACH, thread, NULL, NULL), "detach");
	for (i = 0; i < starters.count; i++)
		if (starters.threads[i])
			let_go_on_untraced(starters.threads[i]);
}

int main(int argc, char **argv)
{
	static const struct command commands[] = {
		{"seize", seize},
		{"hold_before_call", hold_before_call},
		{"leave", leave},
		{NULL, NULL},
	};

	program_require(argc == 3, "a process and a name");
	process = atoi(argv[1]);
	name = argv[2];
	return program_serve(commands);
}
