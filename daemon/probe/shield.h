/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System calls that the kernel must be let finish although memwatchd is killed meanwhile: putting
 * breakpoints into a process and taking them out.
 */
#ifndef MEMWATCH_PROBE_SHIELD_H
#define MEMWATCH_PROBE_SHIELD_H

struct shielded_call {
	long number; /* SYS_* */
	unsigned long arguments[5];
};

/*
 * Makes the system call, in a process that a signal to memwatchd doesn't reach and that has our
 * memory and descriptors, and waits for it; where there can't be such a process, by itself. Returns
 * what the call does, or -errno.
 */
long shield_call(const struct shielded_call *call);
/* close(2), of what takes breakpoints out as it goes. */
void shield_close(int fd);

#endif
