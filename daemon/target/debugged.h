/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Processes that were unwatched under a debugger.
 *
 * A debugger that sets a breakpoint where a probe stands takes the probe's breakpoint for the
 * program's own byte, and writes it back when it removes its own or lets go. Were the probe gone by
 * then, the process would run into a breakpoint that belongs to nobody, and die. So breakpoints of
 * ours stay, heard by nobody, until the debugger has gone; then the kernel writes what is in the
 * file.
 *
 * Owned by the target table, used under the state's lock.
 */
#ifndef MEMWATCH_TARGET_DEBUGGED_H
#define MEMWATCH_TARGET_DEBUGGED_H

#include "probe/idle_probe.h"
#include "target/process.h"

/* The processes left so, each with the probes of one file. */
struct debugged;

/* Whether somebody traces the process by ptrace now. */
bool process_is_traced(pid_t pid);
/* Adds probes to the list, which takes ownership; without memory for that they go at once. */
void debugged_add(struct debugged **list, const struct process_identity *identity,
		  struct idle_probes *probes);
/* Takes those off the list that no debugger holds any more; all: whether or not. */
struct debugged *debugged_take(struct debugged **list, bool all);
/* Ends what was taken; without the lock, since it waits for the kernel. */
void debugged_close(struct debugged *taken);

#endif
