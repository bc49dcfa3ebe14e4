/* SPDX-License-Identifier: Apache-2.0 */
/* One memwatchd for each state directory. */
#ifndef MEMWATCH_INSTANCE_H
#define MEMWATCH_INSTANCE_H

#include <stddef.h>

/*
 * Makes the directory if it is missing and locks it for as long as the process lives (or the
 * returned descriptor is open). Returns the descriptor, or -errno with a message: -EBUSY another
 * one has it.
 */
int instance_lock(const char *state_dir, char *message, size_t message_size);

#endif
