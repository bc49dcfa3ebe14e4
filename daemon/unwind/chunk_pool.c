/* SPDX-License-Identifier: Apache-2.0 */
#include "unwind/chunk_pool.h"

#include "unwind/outer_map.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHUNK_BYTES sizeof(struct record_unwind_chunk)

/*
 * Chunks stay when nobody uses them any more, for the next table: to take one out of the map, or to
 * put one in, makes the kernel wait. New ones are put in all together.
 */
struct chunk {
	uint32_t tables; /* that have pages in it; 0: it is free */
	uint32_t row_count;
	bool is_made;
	bool is_inserted; /* the walker sees it */
	int fd;           /* of one that is made and not inserted, and of the one being filled */
};

struct chunk_pool {
	int map_fd;
	uint64_t bytes_max;
	uint64_t bytes; /* read by other threads */
	struct chunk chunks[RECORD_UNWIND_CHUNKS_MAX];
	struct chunk *open;                   /* the one being filled; NULL: none */
	struct record_unwind_chunk open_rows; /* a copy of it */
};

struct chunk_pool *chunk_pool_new(int map_fd, uint64_t bytes_max)
{
	struct chunk_pool *pool = calloc(1, sizeof(*pool));

	if (!pool)
		return NULL;
	pool->map_fd = map_fd;
	pool->bytes_max = bytes_max;
	return pool;
}

void chunk_pool_free(struct chunk_pool *pool)
{
	if (!pool)
		return;
	for (size_t i = 0; i < RECORD_UNWIND_CHUNKS_MAX; i++)
		if (pool->chunks[i].is_made &&
		    (!pool->chunks[i].is_inserted || &pool->chunks[i] == pool->open))
			close(pool->chunks[i].fd);
	free(pool);
}

uint64_t chunk_pool_bytes(const struct chunk_pool *pool)
{
	return __atomic_load_n(&pool->bytes, __ATOMIC_RELAXED);
}

static uint32_t number_of(const struct chunk_pool *pool, const struct chunk *chunk)
{
	return (uint32_t)(chunk - pool->chunks);
}

/* ---- The chunk being filled ---- */

static int reopen(struct chunk_pool *pool, struct chunk *chunk)
{
	uint32_t number = number_of(pool, chunk), id;

	if (!chunk->is_inserted)
		return 0;
	if (bpf_map_lookup_elem(pool->map_fd, &number, &id))
		return -errno;
	chunk->fd = bpf_map_get_fd_by_id(id);
	return chunk->fd < 0 ? -errno : 0;
}

static int make(struct chunk_pool *pool, struct chunk *chunk)
{
	if (chunk_pool_bytes(pool) + CHUNK_BYTES > pool->bytes_max)
		return -ENOSPC;
	chunk->fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "unwind_chunk", sizeof(uint32_t),
				   CHUNK_BYTES, 1, NULL);
	if (chunk->fd < 0)
		return -errno;
	chunk->is_made = true;
	__atomic_fetch_add(&pool->bytes, CHUNK_BYTES, __ATOMIC_RELAXED);
	return 0;
}

/* One that is free, made or not yet made; NULL: there is none. */
static struct chunk *find_free(struct chunk_pool *pool, bool is_made)
{
	for (size_t i = 0; i < RECORD_UNWIND_CHUNKS_MAX; i++)
		if (pool->chunks[i].is_made == is_made && !pool->chunks[i].tables)
			return &pool->chunks[i];
	return NULL;
}

static int open_next(struct chunk_pool *pool)
{
	struct chunk *chunk = find_free(pool, true);
	int error;

	if (chunk) {
		error = reopen(pool, chunk);
	} else {
		chunk = find_free(pool, false);
		error = chunk ? make(pool, chunk) : -ENOSPC;
	}
	if (error)
		return error;
	chunk->row_count = 0;
	pool->open = chunk;
	memset(&pool->open_rows, 0, sizeof(pool->open_rows));
	return 0;
}

int chunk_pool_write(struct chunk_pool *pool)
{
	uint32_t zero = 0;

	if (!pool->open)
		return 0;
	return bpf_map_update_elem(pool->open->fd, &zero, &pool->open_rows, BPF_ANY) ? -errno : 0;
}

/* What is filled next is another one. */
static void close_open(struct chunk_pool *pool)
{
	if (pool->open->is_inserted)
		close(pool->open->fd);
	pool->open = NULL;
}

/* ---- What tables use ---- */

static int list_add(struct chunk_list *list, struct chunk *chunk, uint32_t number)
{
	uint32_t *grown;

	if (list->count && list->numbers[list->count - 1] == number)
		return 0;
	grown = reallocarray(list->numbers, list->count + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	list->numbers = grown;
	grown[list->count++] = number;
	chunk->tables++;
	return 0;
}

int chunk_pool_add(struct chunk_pool *pool, uint32_t count, struct chunk_list *list,
		   struct record_unwind_row **rows, struct record_unwind_page *page)
{
	int error = 0;

	if (pool->open && pool->open->row_count + count > RECORD_UNWIND_CHUNK_ROWS) {
		error = chunk_pool_write(pool);
		close_open(pool);
	}
	if (!error && !pool->open)
		error = open_next(pool);
	error = error ? error : list_add(list, pool->open, number_of(pool, pool->open));
	if (error)
		return error;
	*rows = &pool->open_rows.rows[pool->open->row_count];
	*page = (struct record_unwind_page){.chunk = number_of(pool, pool->open),
					    .first_row = (uint16_t)pool->open->row_count,
					    .row_count = (uint16_t)count};
	pool->open->row_count += count;
	return 0;
}

void chunk_pool_release(struct chunk_pool *pool, struct chunk_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		struct chunk *chunk = &pool->chunks[list->numbers[i]];

		if (!--chunk->tables && pool->open == chunk)
			close_open(pool);
	}
	free(list->numbers);
	*list = (struct chunk_list){0};
}

/* ---- The walker's map ---- */

int chunk_pool_insert(struct chunk_pool *pool)
{
	uint32_t *numbers = calloc(RECORD_UNWIND_CHUNKS_MAX, sizeof(*numbers));
	int *fds = calloc(RECORD_UNWIND_CHUNKS_MAX, sizeof(*fds));
	uint32_t count = 0;
	int error = numbers && fds ? 0 : -ENOMEM;

	for (uint32_t i = 0; !error && i < RECORD_UNWIND_CHUNKS_MAX; i++) {
		if (!pool->chunks[i].is_made || pool->chunks[i].is_inserted)
			continue;
		numbers[count] = i;
		fds[count++] = pool->chunks[i].fd;
	}
	if (!error && count)
		error = outer_map_put(pool->map_fd, numbers, fds, count);
	for (uint32_t i = 0; !error && i < count; i++) {
		pool->chunks[numbers[i]].is_inserted = true;
		if (&pool->chunks[numbers[i]] != pool->open)
			close(fds[i]);
	}
	free(numbers);
	free(fds);
	return error;
}
