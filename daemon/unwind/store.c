/* SPDX-License-Identifier: Apache-2.0 */
#include "unwind/store.h"

#include "unwind/rule_pool.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHUNK_BYTES sizeof(struct record_unwind_chunk)
#define SPACE_BYTES sizeof(struct record_unwind_space)

/* Rows of whole pages, of whichever modules came one after the other. */
struct chunk {
	uint32_t tables; /* that have pages in it; 0: it is free */
	uint32_t row_count;
	bool is_made;
	bool is_inserted; /* the walker sees it */
	int fd;           /* of one that is made and not inserted, and of the one being filled */
};

struct unwind_placed {
	uint64_t first_address; /* link address of page 0 */
	uint32_t first_page, page_count;
	uint32_t *chunks; /* each once */
	size_t chunk_count;
	uint16_t *rules; /* each once */
	size_t rule_count;
	uint64_t row_bytes;
};

struct unwind_store {
	struct unwind_store_maps maps;
	uint64_t bytes_max;
	uint64_t table_bytes, space_bytes; /* read by other threads */
	struct rule_pool *pool;
	struct chunk chunks[RECORD_UNWIND_CHUNKS_MAX];
	struct chunk *open;                   /* the one being filled; NULL: none */
	struct record_unwind_chunk open_rows; /* a copy of it */
	bool is_page_used[RECORD_UNWIND_PAGES_MAX];
};

struct unwind_store *unwind_store_new(const struct unwind_store_maps *maps, uint64_t bytes_max)
{
	struct unwind_store *store = calloc(1, sizeof(*store));

	if (!store)
		return NULL;
	store->maps = *maps;
	store->bytes_max = bytes_max;
	store->pool = rule_pool_new();
	if (!store->pool) {
		free(store);
		return NULL;
	}
	return store;
}

void unwind_store_free(struct unwind_store *store)
{
	if (!store)
		return;
	for (size_t i = 0; i < RECORD_UNWIND_CHUNKS_MAX; i++)
		if (store->chunks[i].is_made &&
		    (!store->chunks[i].is_inserted || &store->chunks[i] == store->open))
			close(store->chunks[i].fd);
	rule_pool_free(store->pool);
	free(store);
}

static void add_table_bytes(struct unwind_store *store, int64_t bytes)
{
	__atomic_fetch_add(&store->table_bytes, (uint64_t)bytes, __ATOMIC_RELAXED);
}

static void add_space_bytes(struct unwind_store *store, int64_t bytes)
{
	__atomic_fetch_add(&store->space_bytes, (uint64_t)bytes, __ATOMIC_RELAXED);
}

uint64_t unwind_store_table_bytes(const struct unwind_store *store)
{
	return __atomic_load_n(&store->table_bytes, __ATOMIC_RELAXED);
}

uint64_t unwind_store_space_bytes(const struct unwind_store *store)
{
	return __atomic_load_n(&store->space_bytes, __ATOMIC_RELAXED);
}

uint64_t unwind_placed_bytes(const struct unwind_placed *placed)
{
	return placed->row_bytes;
}

/* ---- Chunks ---- */

static uint32_t chunk_number(const struct unwind_store *store, const struct chunk *chunk)
{
	return (uint32_t)(chunk - store->chunks);
}

/*
 * Chunks stay when nobody uses them any more: to take one out of the map, or to put one in, waits
 * until no program runs that might use it, some 15 ms. New ones are put in all together.
 */
static int chunk_reopen(struct unwind_store *store, struct chunk *chunk)
{
	uint32_t number = chunk_number(store, chunk), id;

	if (!chunk->is_inserted)
		return 0;
	if (bpf_map_lookup_elem(store->maps.chunks_fd, &number, &id))
		return -errno;
	chunk->fd = bpf_map_get_fd_by_id(id);
	return chunk->fd < 0 ? -errno : 0;
}

static int chunk_make(struct unwind_store *store, struct chunk *chunk)
{
	if (unwind_store_table_bytes(store) + CHUNK_BYTES > store->bytes_max)
		return -ENOSPC;
	chunk->fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "unwind_chunk", sizeof(uint32_t),
				   CHUNK_BYTES, 1, NULL);
	if (chunk->fd < 0)
		return -errno;
	chunk->is_made = true;
	add_table_bytes(store, CHUNK_BYTES);
	return 0;
}

static int chunk_open(struct unwind_store *store)
{
	struct chunk *unused = NULL;
	int error;

	for (size_t i = 0; i < RECORD_UNWIND_CHUNKS_MAX && !unused; i++)
		if (store->chunks[i].is_made && !store->chunks[i].tables)
			unused = &store->chunks[i];
	if (unused) {
		error = chunk_reopen(store, unused);
	} else {
		for (size_t i = 0; i < RECORD_UNWIND_CHUNKS_MAX && !unused; i++)
			if (!store->chunks[i].is_made)
				unused = &store->chunks[i];
		error = unused ? chunk_make(store, unused) : -ENOSPC;
	}
	if (error)
		return error;
	unused->row_count = 0;
	store->open = unused;
	memset(&store->open_rows, 0, sizeof(store->open_rows));
	return 0;
}

static int chunk_write(struct unwind_store *store)
{
	uint32_t zero = 0;

	if (!store->open)
		return 0;
	return bpf_map_update_elem(store->open->fd, &zero, &store->open_rows, BPF_ANY) ? -errno : 0;
}

/* What is filled next is another one. */
static void chunk_close(struct unwind_store *store)
{
	if (store->open->is_inserted)
		close(store->open->fd);
	store->open = NULL;
}

static void chunk_release(struct unwind_store *store, uint32_t number)
{
	struct chunk *chunk = &store->chunks[number];

	if (!--chunk->tables && store->open == chunk)
		chunk_close(store);
}

/*
 * Puts values into a map of maps. Together they wait once for programs that use what was there
 * before (or not at all, before 6.8), so one comes last by itself.
 */
static int put_all(int map_fd, uint32_t *keys, int *fds, uint32_t count)
{
	uint32_t together = count - 1;

	LIBBPF_OPTS(bpf_map_batch_opts, options);
	int error = 0;

	if (together > 1)
		error = bpf_map_update_batch(map_fd, keys, fds, &together, &options);
	/* The kernel can't do it together, before 5.16: one by one. */
	for (uint32_t i = error || count == 2 ? 0 : count - 1; i < count; i++)
		if (bpf_map_update_elem(map_fd, &keys[i], &fds[i], BPF_ANY))
			return -errno;
	return 0;
}

/* From here on the walker sees all chunks. */
static int insert_chunks(struct unwind_store *store)
{
	uint32_t *numbers = calloc(RECORD_UNWIND_CHUNKS_MAX, sizeof(*numbers));
	int *fds = calloc(RECORD_UNWIND_CHUNKS_MAX, sizeof(*fds));
	uint32_t count = 0;
	int error = numbers && fds ? 0 : -ENOMEM;

	for (uint32_t i = 0; !error && i < RECORD_UNWIND_CHUNKS_MAX; i++) {
		if (!store->chunks[i].is_made || store->chunks[i].is_inserted)
			continue;
		numbers[count] = i;
		fds[count++] = store->chunks[i].fd;
	}
	if (!error && count)
		error = put_all(store->maps.chunks_fd, numbers, fds, count);
	for (uint32_t i = 0; !error && i < count; i++) {
		store->chunks[numbers[i]].is_inserted = true;
		if (&store->chunks[numbers[i]] != store->open)
			close(fds[i]);
	}
	free(numbers);
	free(fds);
	return error;
}

/* The open chunk becomes one of the table's. */
static int placed_add_chunk(struct unwind_store *store, struct unwind_placed *placed)
{
	uint32_t number = chunk_number(store, store->open);
	uint32_t *grown;

	if (placed->chunk_count && placed->chunks[placed->chunk_count - 1] == number)
		return 0;
	grown = reallocarray(placed->chunks, placed->chunk_count + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	placed->chunks = grown;
	grown[placed->chunk_count++] = number;
	store->open->tables++;
	return 0;
}

/* ---- Rules ---- */

/* Gives each of the table's rules its number in the map; 0 in numbers: there is none left. */
static int place_rules(struct unwind_store *store, const struct unwind_table *table,
		       struct unwind_placed *placed, uint16_t *numbers)
{
	placed->rules = calloc(table->rule_count + 1, sizeof(*placed->rules));
	if (!placed->rules)
		return -ENOMEM;
	for (size_t i = 0; i < table->rule_count; i++) {
		uint32_t key;
		bool is_new;

		if (table->rules[i].kind == RECORD_UNWIND_NONE)
			continue;
		key = numbers[i] = rule_pool_take(store->pool, &table->rules[i], &is_new);
		if (!key)
			return -ENOSPC;
		placed->rules[placed->rule_count++] = numbers[i];
		if (is_new &&
		    bpf_map_update_elem(store->maps.rules_fd, &key, &table->rules[i], BPF_ANY))
			return -errno;
	}
	return 0;
}

/* ---- Pages ---- */

/* A run of unused entries; RECORD_UNWIND_PAGES_MAX: there is none. */
static uint32_t find_pages(const struct unwind_store *store, size_t count)
{
	size_t run = 0;

	for (uint32_t i = 0; i < RECORD_UNWIND_PAGES_MAX; i++) {
		run = store->is_page_used[i] ? 0 : run + 1;
		if (run == count)
			return (uint32_t)(i + 1 - count);
	}
	return RECORD_UNWIND_PAGES_MAX;
}

static int write_page(struct unwind_store *store, uint32_t number,
		      const struct record_unwind_page *page)
{
	return bpf_map_update_elem(store->maps.pages_fd, &number, page, BPF_ANY) ? -errno : 0;
}

/* Copies the rows of one page into a chunk; *page says where they lie. */
static int place_rows(struct unwind_store *store, const struct unwind_table *table,
		      const struct unwind_page *from, const uint16_t *numbers,
		      struct unwind_placed *placed, struct record_unwind_page *page)
{
	struct record_unwind_row *rows;
	int error = 0;

	*page = (struct record_unwind_page){0};
	/* More rows than a page of real code can have: it does without. */
	if (!from->row_count || from->row_count >= RECORD_UNWIND_CHUNK_ROWS)
		return 0;
	if (store->open && store->open->row_count + from->row_count > RECORD_UNWIND_CHUNK_ROWS) {
		error = chunk_write(store);
		chunk_close(store);
	}
	if (!error && !store->open)
		error = chunk_open(store);
	error = error ? error : placed_add_chunk(store, placed);
	if (error)
		return error;
	rows = &store->open_rows.rows[store->open->row_count];
	for (uint32_t i = 0; i < from->row_count; i++) {
		rows[i] = table->rows[from->first_row + i];
		rows[i].rule = numbers[rows[i].rule];
	}
	*page = (struct record_unwind_page){.chunk = chunk_number(store, store->open),
					    .first_row = (uint16_t)store->open->row_count,
					    .row_count = (uint16_t)from->row_count};
	store->open->row_count += from->row_count;
	return 0;
}

static int place_pages(struct unwind_store *store, const struct unwind_table *table,
		       const uint16_t *numbers, struct unwind_placed *placed)
{
	uint32_t first = find_pages(store, table->page_count);

	if (first == RECORD_UNWIND_PAGES_MAX)
		return -ENOSPC;
	placed->first_address = table->first_address;
	placed->first_page = first;
	for (size_t i = 0; i < table->page_count; i++) {
		struct record_unwind_page page;
		int error = place_rows(store, table, &table->pages[i], numbers, placed, &page);

		error = error ? error : write_page(store, first + (uint32_t)i, &page);
		if (error)
			return error;
		store->is_page_used[first + i] = true;
		placed->page_count++;
	}
	return chunk_write(store);
}

/* ---- Tables ---- */

int unwind_store_place(struct unwind_store *store, const struct unwind_table *table,
		       struct unwind_placed **placed)
{
	uint64_t row_bytes = table->row_count * sizeof(struct record_unwind_row);
	struct unwind_placed *made;
	uint16_t *numbers;
	int error;

	if (!table->page_count || table->page_count > RECORD_UNWIND_PAGES_MAX ||
	    row_bytes > store->bytes_max)
		return -E2BIG;
	made = calloc(1, sizeof(*made));
	numbers = calloc(table->rule_count + 1, sizeof(*numbers));
	error = made && numbers ? place_rules(store, table, made, numbers) : -ENOMEM;
	error = error ? error : place_pages(store, table, numbers, made);
	free(numbers);
	if (error) {
		unwind_store_remove(store, made);
		return error;
	}
	made->row_bytes = row_bytes;
	*placed = made;
	return 0;
}

void unwind_store_remove(struct unwind_store *store, struct unwind_placed *placed)
{
	const struct record_unwind_page none = {0};

	if (!placed)
		return;
	for (uint32_t i = 0; i < placed->page_count; i++) {
		write_page(store, placed->first_page + i, &none);
		store->is_page_used[placed->first_page + i] = false;
	}
	for (size_t i = 0; i < placed->chunk_count; i++)
		chunk_release(store, placed->chunks[i]);
	for (size_t i = 0; i < placed->rule_count; i++)
		rule_pool_give_back(store->pool, placed->rules[i]);
	free(placed->chunks);
	free(placed->rules);
	free(placed);
}

/* ---- Spaces ---- */

struct record_unwind_range unwind_placed_range(const struct unwind_placed *placed, uint64_t start,
					       uint64_t end, uint64_t link_address)
{
	struct record_unwind_range range = {.start = start, .end = end};

	if (!placed)
		return range;
	range.bias = start - link_address + placed->first_address;
	range.first_page = placed->first_page;
	range.page_count = placed->page_count;
	return range;
}

/* A map of one target's ranges: its descriptor or -errno. */
static int make_space(const struct unwind_space_update *update)
{
	struct record_unwind_space *space = calloc(1, sizeof(*space));
	int fd, error = 0;
	uint32_t zero = 0;

	if (!space)
		return -ENOMEM;
	space->range_count = (uint32_t)update->range_count;
	memcpy(space->ranges, update->ranges, update->range_count * sizeof(space->ranges[0]));
	fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "unwind_space", sizeof(uint32_t), SPACE_BYTES, 1,
			    NULL);
	if (fd < 0 || bpf_map_update_elem(fd, &zero, space, BPF_ANY))
		error = -errno;
	free(space);
	if (error && fd >= 0)
		close(fd);
	return error ? error : fd;
}

static bool has_space(const struct unwind_store *store, uint32_t slot)
{
	uint32_t id;

	return bpf_map_lookup_elem(store->maps.spaces_fd, &slot, &id) == 0;
}

/* Gives each update its map; returns how many could be made. */
static uint32_t make_spaces(struct unwind_store *store, struct unwind_space_update *updates,
			    size_t count, uint32_t *slots, int *fds)
{
	uint32_t made = 0;

	for (size_t i = 0; i < count; i++) {
		int fd = make_space(&updates[i]);

		updates[i].error = fd < 0 ? fd : 0;
		if (fd < 0)
			continue;
		if (!has_space(store, updates[i].slot))
			add_space_bytes(store, SPACE_BYTES);
		slots[made] = updates[i].slot;
		fds[made++] = fd;
	}
	return made;
}

void unwind_store_update_spaces(struct unwind_store *store, struct unwind_space_update *updates,
				size_t count)
{
	uint32_t *slots = calloc(count + 1, sizeof(*slots));
	int *fds = calloc(count + 1, sizeof(*fds));
	int error = slots && fds ? insert_chunks(store) : -ENOMEM;
	uint32_t made = 0;

	if (!error)
		made = make_spaces(store, updates, count, slots, fds);
	if (made)
		error = put_all(store->maps.spaces_fd, slots, fds, made);
	for (size_t i = 0; error && i < count; i++)
		updates[i].error = error;
	for (uint32_t i = 0; i < made; i++)
		close(fds[i]);
	free(slots);
	free(fds);
}

void unwind_store_clear_space(struct unwind_store *store, uint32_t slot)
{
	if (has_space(store, slot) && !bpf_map_delete_elem(store->maps.spaces_fd, &slot))
		add_space_bytes(store, -(int64_t)SPACE_BYTES);
}
