/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The same blocks over and over, so that one list of known allocations meets many independent draws
 * of a sampler. "size BYTES" adds a block to the list; a round frees what the one before allocated
 * and allocates the list anew, once on each of PATHS ways through the program, which are as many
 * stacks: by malloc, by realloc in three steps, or each block in a thread of its own (one way
 * alone). Nobody touches what is in the blocks: 64 MiB cost no memory.
 */
#include "program.h"

#include <pthread.h>
#include <stdlib.h>

#define BLOCKS_MAX 2048
#define PATH_BITS  4
#define PATHS_MAX  (1 << PATH_BITS)

SITE(known_mallocs);
SITE(known_reallocs);
SITE(known_thread_mallocs);

static size_t sizes_bytes[BLOCKS_MAX];
static struct block blocks[PATHS_MAX][BLOCKS_MAX];
static size_t count;

static void add_size(long bytes)
{
	program_require(count < BLOCKS_MAX && bytes > 0, "at most 2048 sizes, none of them 0");
	sizes_bytes[count++] = (size_t)bytes;
}

static void free_all(void)
{
	for (size_t path = 0; path < PATHS_MAX; path++)
		for (size_t i = 0; i < count; i++)
			block_free(&blocks[path][i]);
}

static void forget(long unused)
{
	(void)unused;
	free_all();
	count = 0;
}

CALL_SITE static void known_mallocs(struct block *block, size_t bytes)
{
	*block = block_new(&known_mallocs_site, malloc(bytes), bytes);
}

/* Through half and one and a half of the size, so that it grows and shrinks on its way. */
CALL_SITE static void known_reallocs(struct block *block, size_t bytes)
{
	const size_t way_bytes[] = {bytes / 2 + 1, bytes + bytes / 2, bytes};
	void *address = NULL;

	for (size_t step = 0; step < 3; step++) {
		address = realloc(address, way_bytes[step]);
		program_require(address, "memory");
	}
	*block = block_new(&known_reallocs_site, address, bytes);
}

struct errand {
	struct block *block;
	size_t bytes;
};

CALL_SITE static void *known_thread_mallocs(void *argument)
{
	struct errand *errand = argument;

	*errand->block =
		block_new(&known_thread_mallocs_site, malloc(errand->bytes), errand->bytes);
	return NULL;
}

static void in_own_thread(struct block *block, size_t bytes)
{
	struct errand errand = {block, bytes};
	pthread_t thread;

	program_require(!pthread_create(&thread, NULL, known_thread_mallocs, &errand) &&
				!pthread_join(thread, NULL),
			"a thread");
}

typedef void allocate_block(struct block *block, size_t bytes);

static void walk(size_t path, size_t bits, allocate_block *allocate);

CALL_SITE static void walk_left(size_t path, size_t bits, allocate_block *allocate)
{
	walk(path, bits - 1, allocate);
}

CALL_SITE static void walk_right(size_t path, size_t bits, allocate_block *allocate)
{
	walk(path, bits - 1, allocate);
}

/* Each bit of the path is one turning, so that each path has a stack of its own. */
CALL_SITE static void walk(size_t path, size_t bits, allocate_block *allocate)
{
	if (!bits)
		for (size_t i = 0; i < count; i++)
			allocate(&blocks[path][i], sizes_bytes[i]);
	else if (path >> (bits - 1) & 1)
		walk_left(path, bits, allocate);
	else
		walk_right(path, bits, allocate);
}

static void play(long paths, allocate_block *allocate)
{
	program_require(paths > 0 && paths <= PATHS_MAX, "1 to 16 paths");
	free_all();
	for (size_t path = 0; path < (size_t)paths; path++)
		walk(path, PATH_BITS, allocate);
}

static void by_malloc(long paths)
{
	play(paths, known_mallocs);
}

static void by_realloc(long paths)
{
	play(paths, known_reallocs);
}

static void by_threads(long unused)
{
	(void)unused;
	play(1, in_own_thread);
}

int main(void)
{
	static const struct command commands[] = {
		{"size", add_size},         {"forget", forget},         {"by_malloc", by_malloc},
		{"by_realloc", by_realloc}, {"by_threads", by_threads}, {NULL, NULL},
	};

	return program_serve(commands);
}
