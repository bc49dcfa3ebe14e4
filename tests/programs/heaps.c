/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Three allocators at once: malloc is jemalloc's, which is linked first; mimalloc and tcmalloc are
 * called by their own names.
 */
#include "program.h"

#include <stdlib.h>

void *mi_malloc(size_t size);
void mi_free(void *old);
void *tc_malloc(size_t size);
void tc_free(void *old);

#define BLOCKS_EACH 200

SITE(by_malloc);
SITE(by_mi_malloc);
SITE(by_tc_malloc);

static struct block blocks[3][BLOCKS_EACH];

CALL_SITE static struct block by_malloc(size_t bytes)
{
	return block_new(&by_malloc_site, malloc(bytes), bytes);
}

CALL_SITE static struct block by_mi_malloc(size_t bytes)
{
	return block_new(&by_mi_malloc_site, mi_malloc(bytes), bytes);
}

CALL_SITE static struct block by_tc_malloc(size_t bytes)
{
	return block_new(&by_tc_malloc_site, tc_malloc(bytes), bytes);
}

static void allocate(long unused)
{
	(void)unused;
	for (size_t i = 0; i < BLOCKS_EACH; i++) {
		blocks[0][i] = by_malloc(1 + 100 * i);
		blocks[1][i] = by_mi_malloc(2 + 101 * i);
		blocks[2][i] = by_tc_malloc(3 + 102 * i);
	}
}

static void give_back(struct block *block, void (*release)(void *))
{
	if (!block->address)
		return;
	site_freed(block->site, block->bytes);
	release(block->address);
	*block = (struct block){0};
}

static void free_every(size_t step)
{
	for (size_t i = 0; i < BLOCKS_EACH; i += step) {
		give_back(&blocks[0][i], free);
		give_back(&blocks[1][i], mi_free);
		give_back(&blocks[2][i], tc_free);
	}
}

static void free_half(long unused)
{
	(void)unused;
	free_every(2);
}

static void free_all(long unused)
{
	(void)unused;
	free_every(1);
}

int main(void)
{
	static const struct command commands[] = {
		{"allocate", allocate},
		{"free_half", free_half},
		{"free_all", free_all},
		{NULL, NULL},
	};

	return program_serve(commands);
}
