/* SPDX-License-Identifier: Apache-2.0 */
/* A thread that sleeps until it is woken, then does its work once more. */
#ifndef MEMWATCH_LOOP_H
#define MEMWATCH_LOOP_H

struct loop;

/* Returns after how many milliseconds it wants to be called again unasked; -1: never. */
typedef int (*loop_fn)(void *context);

/* 0 or -errno. The work is done once at the start. */
int loop_start(loop_fn work, void *context, struct loop **loop);
/* There may be something to do. From any thread, with or without locks. */
void loop_wake(struct loop *loop);
/* What wakes it, for those who don't know the loop: an eventfd, borrowed. */
int loop_wake_fd(const struct loop *loop);
/* Waits for the work that is under way. NULL is fine. */
void loop_stop(struct loop *loop);

#endif
