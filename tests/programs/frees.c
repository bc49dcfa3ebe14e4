/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks that are freed, or resized, by somebody else than one might think. */
#include "program.h"

#include <pthread.h>
#include <stdlib.h>

#define BLOCKS 1000

SITE(allocate_block);
SITE(resize_block);

static struct block blocks[BLOCKS];

CALL_SITE static struct block allocate_block(size_t bytes)
{
	return block_new(&allocate_block_site, malloc(bytes), bytes);
}

CALL_SITE static void resize_block(struct block *block, size_t bytes)
{
	void *address = realloc(block->address, bytes);

	program_require(address, "memory");
	*block = block_new(&resize_block_site, address, bytes);
}

static void allocate(long unused)
{
	size_t i;

	(void)unused;
	for (i = 0; i < BLOCKS; i++)
		blocks[i] = allocate_block(16 + i);
}

/* To be called before the watch begins: these blocks are in no account. */
static void allocate_unseen(long unused)
{
	allocate(unused);
	ledger_clear();
}

static void free_unseen(long unused)
{
	size_t i;

	(void)unused;
	for (i = 0; i < BLOCKS; i++)
		free(blocks[i].address);
	ledger_count("unknown_frees", BLOCKS);
}

/* The old block was never seen, the new one is. */
static void resize_unseen(long unused)
{
	size_t i;

	(void)unused;
	for (i = 0; i < BLOCKS; i++)
		resize_block(&blocks[i], 5000);
	ledger_count("unknown_frees", BLOCKS);
}

static void *free_blocks(void *unused)
{
	size_t i;

	for (i = 0; i < BLOCKS; i++)
		block_free(&blocks[i]);
	return unused;
}

static void free_in_another_thread(long unused)
{
	pthread_t thread;

	(void)unused;
	program_require(!pthread_create(&thread, NULL, free_blocks, NULL), "a thread");
	pthread_join(thread, NULL);
}

static void free_null(long unused)
{
	size_t i;

	(void)unused;
	for (i = 0; i < BLOCKS; i++)
		free(NULL);
}

int main(void)
{
	static const struct command commands[] = {
		{"allocate", allocate},
		{"allocate_unseen", allocate_unseen},
		{"free_unseen", free_unseen},
		{"resize_unseen", resize_unseen},
		{"free_in_another_thread", free_in_another_thread},
		{"free_null", free_null},
		{NULL, NULL},
	};

	return program_serve(commands);
}
