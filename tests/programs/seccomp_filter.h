/* SPDX-License-Identifier: Apache-2.0 */
/* Puts the calling thread under a seccomp filter of allowed system calls; the rest kills. */
#ifndef MEMWATCH_TESTS_SECCOMP_FILTER_H
#define MEMWATCH_TESTS_SECCOMP_FILTER_H

#include "program.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdint.h>
#include <sys/prctl.h>

#define FILTER_CALLS_MAX 64

static inline void filter_load(struct sock_filter *filter, size_t count)
{
	struct sock_fprog program = {.len = (unsigned short)count, .filter = filter};

	program_require(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no new privileges");
	program_require(!prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), "a seccomp filter");
}

static inline void filter_allow_only(const uint32_t *calls, size_t count)
{
	struct sock_filter filter[FILTER_CALLS_MAX + 3];
	size_t i;

	program_require(count <= FILTER_CALLS_MAX, "a short filter");
	filter[0] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
						 offsetof(struct seccomp_data, nr));
	for (i = 0; i < count; i++)
		filter[i + 1] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, calls[i],
							     (unsigned char)(count - i), 0);
	filter[count + 1] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	filter[count + 2] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	filter_load(filter, count + 3);
}

#endif
