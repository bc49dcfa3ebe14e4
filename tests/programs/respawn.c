/* SPDX-License-Identifier: Apache-2.0 */
/* respawn PID PROGRAM [ARGUMENT...]: runs a program under a pid that is free, and waits for it. */
#include "program.h"

#include <linux/sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argument_count, char **arguments)
{
	struct clone_args clone = {.exit_signal = SIGCHLD, .set_tid_size = 1};
	pid_t wanted, child;
	int status;

	program_require(argument_count > 2, "a pid and a program");
	wanted = (pid_t)strtol(arguments[1], NULL, 10);
	clone.set_tid = (uintptr_t)&wanted;
	child = (pid_t)syscall(SYS_clone3, &clone, sizeof(clone));
	if (!child) {
		execv(arguments[2], arguments + 2);
		_exit(EXIT_FAILURE);
	}
	program_require(child == wanted, "the wanted pid");
	return waitpid(child, &status, 0) == child && !status ? EXIT_SUCCESS : EXIT_FAILURE;
}
