/* SPDX-License-Identifier: Apache-2.0 */
/* Calls every allocation function of glibc, each from a function of its own. */
#include "program.h"

#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#define BLOCKS_EACH 50

static size_t whole_pages(size_t bytes)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return (bytes + page - 1) / page * page;
}

#define ALLOCATE_BY(name, call, booked_bytes)                       \
	SITE(name);                                                 \
	CALL_SITE static struct block name(size_t bytes)            \
	{                                                           \
		return block_new(&name##_site, call, booked_bytes); \
	}

ALLOCATE_BY(by_malloc, malloc(bytes), bytes)
ALLOCATE_BY(by_calloc, calloc(3, bytes), 3 * bytes)
ALLOCATE_BY(by_realloc, realloc(NULL, bytes), bytes)
ALLOCATE_BY(by_reallocarray, reallocarray(NULL, 5, bytes), 5 * bytes)
ALLOCATE_BY(by_aligned_alloc, aligned_alloc(128, bytes), bytes)
ALLOCATE_BY(by_memalign, memalign(64, bytes), bytes)
ALLOCATE_BY(by_valloc, valloc(bytes), bytes)
ALLOCATE_BY(by_pvalloc, pvalloc(bytes), whole_pages(bytes))

/* Not through the macro: the site has to be the direct caller, and the block comes by pointer. */
#define ALIGN_BY(name, alignment)                                              \
	SITE(name);                                                            \
	CALL_SITE static struct block name(size_t bytes)                       \
	{                                                                      \
		void *address;                                                 \
		int error = posix_memalign(&address, alignment, bytes);        \
                                                                               \
		return block_new(&name##_site, error ? NULL : address, bytes); \
	}

/* 16 is what malloc aligns to anyway: glibc then calls malloc inside. */
ALIGN_BY(by_posix_memalign_16, 16)
ALIGN_BY(by_posix_memalign_4096, 4096)

static struct block (*const allocators[])(size_t bytes) = {
	by_malloc,
	by_calloc,
	by_realloc,
	by_reallocarray,
	by_posix_memalign_16,
	by_posix_memalign_4096,
	by_aligned_alloc,
	by_memalign,
	by_valloc,
	by_pvalloc,
};
#define ALLOCATORS (sizeof(allocators) / sizeof(allocators[0]))

static struct block blocks[ALLOCATORS][BLOCKS_EACH];

static void allocate(long unused)
{
	size_t i, j;

	(void)unused;
	for (i = 0; i < ALLOCATORS; i++)
		for (j = 0; j < BLOCKS_EACH; j++)
			blocks[i][j] = allocators[i](1 + 97 * j);
}

static void free_every(size_t step)
{
	size_t i, j;

	for (i = 0; i < ALLOCATORS; i++)
		for (j = 0; j < BLOCKS_EACH; j += step)
			block_free(&blocks[i][j]);
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

/* Large enough that glibc maps it: one block, and no mapping beside it. */
static void allocate_huge(long unused)
{
	(void)unused;
	blocks[0][0] = by_malloc(32 << 20);
	blocks[1][0] = by_calloc(16 << 20);
}

/* A block of no bytes is an object all the same. */
static void allocate_empty(long unused)
{
	(void)unused;
	blocks[0][0] = by_malloc(0);
	blocks[1][0] = by_calloc(0);
}

/* More than an address space holds: every function returns NULL or an error. */
static void allocate_too_much(long unused)
{
	size_t i;

	(void)unused;
	for (i = 0; i < ALLOCATORS; i++)
		program_require(!allocators[i](SIZE_MAX / 2 - 4096).address, "too much fails");
}

int main(void)
{
	static const struct command commands[] = {
		{"allocate", allocate},
		{"free_half", free_half},
		{"free_all", free_all},
		{"allocate_huge", allocate_huge},
		{"allocate_empty", allocate_empty},
		{"allocate_too_much", allocate_too_much},
		{NULL, NULL},
	};

	return program_serve(commands);
}
