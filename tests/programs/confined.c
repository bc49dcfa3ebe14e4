/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a command under a seccomp filter that spoils one thing:
 *   confined kill_at_exit_status N COMMAND...   a process that ends with that status is killed
 *   confined refuse_filters 0 COMMAND...        nobody can put itself under another filter
 */
#include "seccomp_filter.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static void load_for_call(uint32_t call, uint32_t first_argument, uint32_t action)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 3),
		/* The low half, which x86-64 and arm64 keep first. */
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, first_argument, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, action),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};

	filter_load(filter, sizeof(filter) / sizeof(filter[0]));
}

int main(int argc, char **argv)
{
	program_require(argc > 3, "what to spoil, a number, a command");
	if (!strcmp(argv[1], "kill_at_exit_status"))
		load_for_call(SYS_exit_group, (uint32_t)strtoul(argv[2], NULL, 10),
			      SECCOMP_RET_KILL_PROCESS);
	else
		load_for_call(SYS_prctl, PR_SET_SECCOMP, SECCOMP_RET_ERRNO | EPERM);
	execv(argv[3], argv + 3);
	program_require(false, "the command runs");
	return EXIT_FAILURE;
}
