/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's memory for rows: chunks, each a map of its own in the walker's unwind_chunks, filled
 * one after the other with the pages of whichever tables come.
 */
#ifndef MEMWATCH_UNWIND_CHUNK_POOL_H
#define MEMWATCH_UNWIND_CHUNK_POOL_H

#include "record.h"

#include <stddef.h>
#include <stdint.h>

struct chunk_pool;

/* The chunks that one table uses, each once. Zeroed at the start. */
struct chunk_list {
	uint32_t *numbers;
	size_t count;
};

/* map_fd: of unwind_chunks, borrowed. NULL when out of memory. */
struct chunk_pool *chunk_pool_new(int map_fd, uint64_t bytes_max);
void chunk_pool_free(struct chunk_pool *pool);

/*
 * Makes room for count rows (at most a chunk's) that lie together: *rows is where to write them,
 * before the next call. Sets the place in *page, and adds its chunk to the list. Returns 0,
 * -ENOSPC, or another -errno.
 */
int chunk_pool_add(struct chunk_pool *pool, uint32_t count, struct chunk_list *list,
		   struct record_unwind_row **rows, struct record_unwind_page *page);
/* What was written is in the kernel after this. 0 or -errno. */
int chunk_pool_write(struct chunk_pool *pool);
/* And after this the walker sees all chunks. 0 or -errno. */
int chunk_pool_insert(struct chunk_pool *pool);
/* The table uses them no more; frees the list. */
void chunk_pool_release(struct chunk_pool *pool, struct chunk_list *list);

/* Memory in the kernel. From any thread. */
uint64_t chunk_pool_bytes(const struct chunk_pool *pool);

#endif
