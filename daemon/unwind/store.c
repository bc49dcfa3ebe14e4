/* SPDX-License-Identifier: Apache-2.0 */
#include "unwind/store.h"

#include "unwind/chunk_pool.h"
#include "unwind/outer_map.h"
#include "unwind/rule_pool.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SPACE_BYTES sizeof(struct record_unwind_space)

struct unwind_placed {
	uint64_t first_address; /* link address of page 0 */
	uint32_t first_page, page_count;
	struct chunk_list chunks;
	uint16_t *rules; /* each once */
	size_t rule_count;
	uint64_t row_bytes;
	uint16_t made_code_rule; /* number; 0: it makes none */
};

struct unwind_store {
	struct unwind_store_maps maps;
	uint64_t bytes_max;
	uint64_t space_bytes; /* read by other threads */
	struct rule_pool *rules;
	struct chunk_pool *chunks;
	bool is_page_used[RECORD_UNWIND_PAGES_MAX];
};

struct unwind_store *unwind_store_new(const struct unwind_store_maps *maps, uint64_t bytes_max)
{
	struct unwind_store *store = calloc(1, sizeof(*store));

	if (!store)
		return NULL;
	store->maps = *maps;
	store->bytes_max = bytes_max;
	store->rules = rule_pool_new();
	store->chunks = chunk_pool_new(maps->chunks_fd, bytes_max);
	if (store->rules && store->chunks)
		return store;
	unwind_store_free(store);
	return NULL;
}

void unwind_store_free(struct unwind_store *store)
{
	if (!store)
		return;
	rule_pool_free(store->rules);
	chunk_pool_free(store->chunks);
	free(store);
}

static void add_space_bytes(struct unwind_store *store, int64_t bytes)
{
	__atomic_fetch_add(&store->space_bytes, (uint64_t)bytes, __ATOMIC_RELAXED);
}

uint64_t unwind_store_table_bytes(const struct unwind_store *store)
{
	return chunk_pool_bytes(store->chunks);
}

uint64_t unwind_store_space_bytes(const struct unwind_store *store)
{
	return __atomic_load_n(&store->space_bytes, __ATOMIC_RELAXED);
}

uint64_t unwind_placed_bytes(const struct unwind_placed *placed)
{
	return placed->row_bytes;
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
		key = numbers[i] = rule_pool_take(store->rules, &table->rules[i], &is_new);
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
	int error;

	*page = (struct record_unwind_page){0};
	/* More rows than a page of real code can have: it does without. */
	if (!from->row_count || from->row_count >= RECORD_UNWIND_CHUNK_ROWS)
		return 0;
	error = chunk_pool_add(store->chunks, from->row_count, &placed->chunks, &rows, page);
	if (error)
		return error;
	for (uint32_t i = 0; i < from->row_count; i++) {
		rows[i] = table->rows[from->first_row + i];
		rows[i].rule = numbers[rows[i].rule];
	}
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
	return chunk_pool_write(store->chunks);
}

/* ---- Tables ---- */

int unwind_store_place(struct unwind_store *store, const struct unwind_table *table,
		       struct unwind_placed **placed)
{
	uint64_t row_bytes = table->row_count * sizeof(struct record_unwind_row);
	struct unwind_placed *made;
	uint16_t *numbers, made_code_rule;
	int error;

	if (!table->page_count || table->page_count > RECORD_UNWIND_PAGES_MAX ||
	    row_bytes > store->bytes_max)
		return -E2BIG;
	made = calloc(1, sizeof(*made));
	numbers = calloc(table->rule_count + 1, sizeof(*numbers));
	error = made && numbers ? place_rules(store, table, made, numbers) : -ENOMEM;
	error = error ? error : place_pages(store, table, numbers, made);
	made_code_rule = error ? 0 : numbers[table->made_code_rule];
	free(numbers);
	if (error) {
		unwind_store_remove(store, made);
		return error;
	}
	made->made_code_rule = made_code_rule;
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
	chunk_pool_release(store->chunks, &placed->chunks);
	for (size_t i = 0; i < placed->rule_count; i++)
		rule_pool_give_back(store->rules, placed->rules[i]);
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

bool unwind_placed_makes_code(const struct unwind_placed *placed)
{
	return placed && placed->made_code_rule;
}

struct record_unwind_range unwind_placed_made_range(const struct unwind_placed *placed,
						    uint64_t start, uint64_t end)
{
	return (struct record_unwind_range){
		.start = start, .end = end, .first_page = placed->made_code_rule};
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
	int error = slots && fds ? chunk_pool_insert(store->chunks) : -ENOMEM;
	uint32_t made = 0;

	if (!error)
		made = make_spaces(store, updates, count, slots, fds);
	if (made)
		error = outer_map_put(store->maps.spaces_fd, slots, fds, made);
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
