/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Does to the process named by its argument what a checkpointing tool does: seizes and interrupts
 * every thread by ptrace, reads registers and stack, lets go on; and single-steps a thread over
 * breakpoints that it finds in its way. Answers with counts.
 */
#include "tracing.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <unistd.h>

#define STACK_BYTES 4096
#define STEPS_MAX   2000000L
/* int3 */
#define BREAKPOINT 0xccu

static pid_t process;
static struct thread_list list;
static unsigned long long stack_bytes_read;

static struct user_regs_struct read_registers(pid_t thread)
{
	struct user_regs_struct registers;

	program_require(!ptrace(PTRACE_GETREGS, thread, NULL, &registers), "registers");
	return registers;
}

static void read_stack(const struct user_regs_struct *registers)
{
	static char copy[STACK_BYTES];
	struct iovec local = {copy, sizeof(copy)};
	struct iovec remote = {(void *)registers->rsp, sizeof(copy)};
	ssize_t got = process_vm_readv(process, &local, 1, &remote, 1, 0);

	if (got > 0)
		stack_bytes_read += (unsigned long long)got;
}

static void interrupt(pid_t thread)
{
	program_require(!ptrace(PTRACE_SEIZE, thread, NULL, NULL), "seize");
	program_require(!ptrace(PTRACE_INTERRUPT, thread, NULL, NULL), "interrupt");
}

static void stop_all(void)
{
	size_t i;

	thread_list_read(&list, process);
	for (i = 0; i < list.count; i++)
		interrupt(list.threads[i]);
	for (i = 0; i < list.count; i++)
		tracing_wait_until_stopped(list.threads[i]);
}

static void let_go(void)
{
	size_t i;

	for (i = 0; i < list.count; i++)
		program_require(!ptrace(PTRACE_DETACH, list.threads[i], NULL, NULL), "detach");
}

static void checkpoint(long times)
{
	struct user_regs_struct registers;
	size_t i;

	for (; times > 0; times--) {
		stop_all();
		for (i = 0; i < list.count; i++) {
			registers = read_registers(list.threads[i]);
			read_stack(&registers);
		}
		let_go();
		ledger_count("checkpoints", 1);
	}
	program_require(stack_bytes_read > 0, "stacks were read");
}

static bool is_at_breakpoint(pid_t thread)
{
	struct user_regs_struct registers = read_registers(thread);
	long word;

	errno = 0;
	word = ptrace(PTRACE_PEEKTEXT, thread, (void *)registers.rip, NULL);
	return !errno && ((unsigned long)word & 0xff) == BREAKPOINT;
}

/* Steps the thread that began last until it has gone over so many; the others run on. */
static void step_over_breakpoints(long wanted)
{
	long steps, found = 0;
	pid_t thread;

	thread_list_read(&list, process);
	thread = list.threads[list.count - 1];
	interrupt(thread);
	tracing_wait_until_stopped(thread);
	for (steps = 0; steps < STEPS_MAX && found < wanted; steps++) {
		found += is_at_breakpoint(thread);
		program_require(!ptrace(PTRACE_SINGLESTEP, thread, NULL, NULL), "single step");
		tracing_wait_until_stopped(thread);
	}
	program_require(!ptrace(PTRACE_DETACH, thread, NULL, NULL), "detach");
	ledger_count("steps", steps);
	ledger_count("stepped_over", found);
}

int main(int argc, char **argv)
{
	static const struct command commands[] = {
		{"checkpoint", checkpoint},
		{"step_over_breakpoints", step_over_breakpoints},
		{NULL, NULL},
	};

	program_require(argc == 2, "a process");
	process = atoi(argv[1]);
	return program_serve(commands);
}
