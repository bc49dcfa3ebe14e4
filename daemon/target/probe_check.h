/* SPDX-License-Identifier: Apache-2.0 */
/* Whether breakpoints are still in the text of a process: a debugger may take them out. */
#ifndef MEMWATCH_TARGET_PROBE_CHECK_H
#define MEMWATCH_TARGET_PROBE_CHECK_H

#include "symbol/module.h"

struct probe_place {
	uint64_t address;      /* in the process */
	struct module *module; /* held */
	uint64_t file_offset;
};

/*
 * At how many of the places the process's memory is as the file is. What can't be read is not
 * missing. May block for as long as the file's owner likes (FUSE): not to be called under a lock.
 */
size_t probe_places_missing(pid_t pid, const struct probe_place *places, size_t count);

#endif
