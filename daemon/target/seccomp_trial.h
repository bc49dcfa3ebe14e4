/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether return probes are harmless to processes under a seccomp filter on this kernel: tried
 * once, at the start, on a child of our own.
 *
 * On x86-64 a return probe makes the thread issue a system call (uretprobe, number 335, since Linux
 * 6.11; uprobe, 336, for optimised entry probes since 6.18). A filter that doesn't know it kills
 * the process, or spoils the call so that the process crashes, on kernels that don't yet let these
 * calls pass every filter (libseccomp #438, systemd #34615). The kernel's version doesn't tell,
 * since stable kernels have got the exemption later.
 */
#ifndef MEMWATCH_TARGET_SECCOMP_TRIAL_H
#define MEMWATCH_TARGET_SECCOMP_TRIAL_H

#include "target/process.h"

struct target_table;

enum seccomp_verdict {
	SECCOMP_UNTRIED,  /* only while the trial runs: its child has a filter */
	SECCOMP_HARMLESS, /* the child lived through probed returns */
	SECCOMP_DEADLY,   /* a signal ended it */
	SECCOMP_UNKNOWN,  /* the trial could not be made; treated as deadly */
};

struct seccomp_trial {
	enum seccomp_verdict verdict;
	uint64_t probed_returns; /* that the child went through */
	char reason[400];        /* what happened, when the verdict isn't SECCOMP_HARMLESS */
};

/* What the end of the trial's child means: its status as of wait(2). Fills in verdict and reason.
 */
void seccomp_trial_judge(struct seccomp_trial *trial, int wait_status);
/*
 * Makes the trial with the probes that targets get. The table takes the result. Must be called
 * before other threads exist: it forks.
 */
void seccomp_trial_run(struct target_table *table);

/*
 * Whether any thread of the process has a filter or is in strict mode: threads may differ. 0 or
 * -errno: -ESRCH when it is gone.
 */
int seccomp_is_filtered(pid_t pid, bool *is_filtered);
/*
 * Whether return probes may go into a process. 0, or with the reason: -ENOTSUP (it has a filter,
 * and the trial did not go well), other -errno.
 */
int seccomp_check(const struct seccomp_trial *trial, pid_t pid, struct process_error *error);

#endif
