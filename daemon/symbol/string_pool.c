/* SPDX-License-Identifier: Apache-2.0 */
#include "symbol/string_pool.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_BYTES   16384
#define SLOTS_INITIAL 256

struct string_pool_chunk {
	struct string_pool_chunk *next;
	size_t used;
	size_t size;
	char text[];
};

void string_pool_init(struct string_pool *pool, size_t bytes_max)
{
	*pool = (struct string_pool){.bytes_max = bytes_max};
}

void string_pool_destroy(struct string_pool *pool)
{
	while (pool->chunks) {
		struct string_pool_chunk *next = pool->chunks->next;

		free(pool->chunks);
		pool->chunks = next;
	}
	free(pool->slots);
	*pool = (struct string_pool){0};
}

/* FNV-1a. Who chooses colliding names slows down only the naming of their own frames. */
static uint64_t string_hash(const char *string)
{
	uint64_t hash = 0xcbf29ce484222325;

	for (; *string; string++)
		hash = (hash ^ (unsigned char)*string) * 0x100000001b3;
	return hash;
}

static const char **slot_find(const char **slots, size_t slot_count, const char *string)
{
	size_t index = string_hash(string) & (slot_count - 1);

	while (slots[index] && strcmp(slots[index], string) != 0)
		index = (index + 1) & (slot_count - 1);
	return &slots[index];
}

static bool pool_has_room(const struct string_pool *pool, size_t bytes)
{
	return bytes <= pool->bytes_max && pool->bytes <= pool->bytes_max - bytes;
}

static bool pool_grow_slots(struct string_pool *pool)
{
	size_t slot_count = pool->slot_count ? pool->slot_count * 2 : SLOTS_INITIAL;
	size_t added_bytes = (slot_count - pool->slot_count) * sizeof(*pool->slots);
	const char **slots;

	if (!pool_has_room(pool, added_bytes))
		return false;
	slots = calloc(slot_count, sizeof(*slots));
	if (!slots)
		return false;
	for (size_t i = 0; i < pool->slot_count; i++)
		if (pool->slots[i])
			*slot_find(slots, slot_count, pool->slots[i]) = pool->slots[i];
	free(pool->slots);
	pool->slots = slots;
	pool->slot_count = slot_count;
	pool->bytes += added_bytes;
	return true;
}

/* A long string gets a chunk of its own, behind the one that is being filled. */
static char *pool_reserve(struct string_pool *pool, size_t bytes)
{
	struct string_pool_chunk *chunk = pool->chunks;
	size_t size = bytes > CHUNK_BYTES / 4 ? bytes : CHUNK_BYTES;

	if (chunk && chunk->size - chunk->used >= bytes)
		goto out;
	if (!pool_has_room(pool, sizeof(*chunk) + size))
		return NULL;
	chunk = malloc(sizeof(*chunk) + size);
	if (!chunk)
		return NULL;
	chunk->used = 0;
	chunk->size = size;
	if (pool->chunks && size == bytes) {
		chunk->next = pool->chunks->next;
		pool->chunks->next = chunk;
	} else {
		chunk->next = pool->chunks;
		pool->chunks = chunk;
	}
	pool->bytes += sizeof(*chunk) + size;
out:
	chunk->used += bytes;
	return chunk->text + chunk->used - bytes;
}

const char *string_pool_intern(struct string_pool *pool, const char *string)
{
	size_t bytes = strlen(string) + 1;
	const char **slot = NULL;
	char *copy;

	if (pool->slot_count) {
		slot = slot_find(pool->slots, pool->slot_count, string);
		if (*slot)
			return *slot;
	}
	if (pool->string_count >= pool->slot_count / 2) {
		if (!pool_grow_slots(pool))
			return NULL;
		slot = slot_find(pool->slots, pool->slot_count, string);
	}
	copy = pool_reserve(pool, bytes);
	if (!copy)
		return NULL;
	memcpy(copy, string, bytes);
	*slot = copy;
	pool->string_count++;
	return copy;
}
