/* SPDX-License-Identifier: Apache-2.0 */
/* What /proc tells of one process, as far as is needed to decide whether it can be watched. */
#ifndef MEMWATCH_TARGET_PROCESS_H
#define MEMWATCH_TARGET_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* (pid, start_ticks) names a process: a reused pid has another start. */
struct process_identity {
	pid_t pid;
	pid_t namespace_pid; /* in its own pid namespace; 0: the same; from process_check() alone */
	uint64_t start_ticks;      /* since boot, in clock ticks */
	double start_time_seconds; /* Unix time */
	uid_t uid; /* owner of /proc/PID/stat: root when the process is not dumpable */
	char comm[16];
};

/* Why a process cannot be watched, ready to print. */
struct process_error {
	char message[400];
};

/* Whether that process is over: reaped, or a zombie without threads (its leader alone may be one).
 */
bool process_is_over(const struct process_identity *identity);
/* Reads the identity. 0, -ESRCH, other -errno. */
int process_identify(pid_t pid, struct process_identity *identity);
/*
 * Whether it can be watched at all. 0, or with the reason: -ESRCH (none, a thread's id, a zombie),
 * -EINVAL (kernel thread, memwatchd itself), -ENOEXEC (32-bit), other -errno.
 */
int process_check(pid_t pid, struct process_identity *identity, struct process_error *error);

/* Its pid in its own pid namespace; 0: it is the same, or there is no such process. */
pid_t process_namespace_pid(pid_t pid);

/* Parses /proc/PID/stat's text. 0 or -EINVAL. Pure; has a fuzz target. */
struct process_stat {
	char comm[16];
	char state;
	unsigned long flags; /* the kernel's PF_* */
	uint64_t start_ticks;
};
int process_stat_parse(const char *text, struct process_stat *stat);

#endif
