/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Work that the kernel must be let finish although memwatchd is killed meanwhile: putting
 * breakpoints in and taking them out.
 */
#ifndef MEMWATCH_PROBE_SHIELD_H
#define MEMWATCH_PROBE_SHIELD_H

#include <sys/types.h>

/*
 * Calls function(argument), from a process that a signal to memwatchd doesn't reach and that has
 * our memory and descriptors, and waits for it; where there can't be such a process, from the
 * caller itself. Returns what the function does.
 *
 * The function may make system calls that don't block on other threads of ours, and nothing else:
 * it runs on a small stack, and on the caller's thread-local storage.
 */
long shield_call(long (*function)(void *argument), void *argument);

#endif
