/* SPDX-License-Identifier: Apache-2.0 */
/* Maps whose values are maps. */
#ifndef MEMWATCH_UNWIND_OUTER_MAP_H
#define MEMWATCH_UNWIND_OUTER_MAP_H

#include <stdint.h>

/*
 * Puts count inner maps, by their descriptors, into an outer one, replacing what was there. When it
 * returns no program uses that any more: the kernel waits for it, some 15 ms, however many there
 * are. Returns 0 or -errno.
 */
int outer_map_put(int map_fd, const uint32_t *keys, const int *fds, uint32_t count);

#endif
