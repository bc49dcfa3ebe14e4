/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The descriptions of arguments that probes in use refer to by number: most probes of most
 * processes share a few. Owned by the probe object; it has a lock of
 * its own.
 */
#ifndef MEMWATCH_PROBE_USDT_TABLE_H
#define MEMWATCH_PROBE_USDT_TABLE_H

#include "record.h"

#include <stdint.h>

struct usdt_table;

/* map_fd: of the kernel's table, borrowed. NULL when out of memory. */
struct usdt_table *usdt_table_new(int map_fd);
void usdt_table_free(struct usdt_table *table);

/* The number of a description, held for the caller. 0, -ENOSPC (all are in use) or -errno. */
int usdt_table_hold(struct usdt_table *table, const struct record_usdt_arguments *arguments,
		    uint32_t *number);
void usdt_table_release(struct usdt_table *table, uint32_t number);

#endif
