/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many blocks of one size per function, for estimates. Some functions call others inside glibc
 * (reallocarray realloc, posix_memalign malloc), which must not count twice.
 */
#include "program.h"

#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define BLOCKS_MAX (1 << 18)

#define SAMPLE(name, statement, bytes_each)                          \
	SITE(name);                                                  \
	CALL_SITE static struct block name(void)                     \
	{                                                            \
		void *address = NULL;                                \
                                                                     \
		statement;                                           \
		program_require(address, "memory");                  \
		return block_new(&name##_site, address, bytes_each); \
	}

SAMPLE(small_mallocs, address = malloc(40), 40)
SAMPLE(middle_mallocs, address = malloc(700), 700)
SAMPLE(large_mallocs, address = malloc(20000), 20000)
SAMPLE(huge_mallocs, address = malloc(500000), 500000)
SAMPLE(callocs, address = calloc(10, 30), 300)
SAMPLE(mapped_mallocs, address = malloc(10000), 10000)
SAMPLE(mallocs_without_brk, address = malloc(64), 64)
SAMPLE(before_realloc, address = malloc(100), 100)

/* A block that the caller is about to resize. */
static void *to_resize(void)
{
	struct block block = before_realloc();

	site_freed(block.site, block.bytes);
	return block.address;
}

SAMPLE(reallocs, address = realloc(to_resize(), 400), 400)
SAMPLE(reallocarrays, address = reallocarray(NULL, 10, 50), 500)
SAMPLE(aligned_to_16, program_require(!posix_memalign(&address, 16, 600), "memory"), 600)
SAMPLE(aligned_to_64, program_require(!posix_memalign(&address, 64, 800), "memory"), 800)
SAMPLE(vallocs, address = valloc(4000), 4000)

static const struct {
	struct block (*allocate)(void);
	size_t count;
} functions[] = {
	{small_mallocs, 1 << 18}, {middle_mallocs, 1 << 14}, {large_mallocs, 1 << 9},
	{huge_mallocs, 1 << 5},   {callocs, 1 << 15},        {reallocs, 1 << 15},
	{reallocarrays, 1 << 14}, {aligned_to_16, 1 << 14},  {aligned_to_64, 1 << 14},
	{vallocs, 1 << 12},
};
#define FUNCTIONS (sizeof(functions) / sizeof(functions[0]))

static struct block blocks[FUNCTIONS][BLOCKS_MAX];

/* All of them, or one in so many: for machines on which a probe is slow. */
static void allocate(long one_in)
{
	size_t divisor = one_in ? (size_t)one_in : 1;
	size_t i, j;

	for (i = 0; i < FUNCTIONS; i++)
		for (j = 0; j < functions[i].count / divisor; j++)
			blocks[i][j] = functions[i].allocate();
}

/* malloc gives each of these blocks a mapping of its own. */
static void allocate_mapped(long count)
{
	mallopt(M_MMAP_THRESHOLD, 4096);
	while (count--)
		mapped_mallocs();
}

/* With the way of brk blocked, malloc maps its heap piece by piece. */
static void allocate_without_brk(long count)
{
	uintptr_t page_bytes = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t end = ((uintptr_t)sbrk(0) + page_bytes - 1) & ~(page_bytes - 1);

	program_require(mmap((void *)end, page_bytes, PROT_NONE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED,
			"a wall behind the heap");
	while (count--)
		mallocs_without_brk();
}

static void free_every(size_t step)
{
	size_t i, j;

	for (i = 0; i < FUNCTIONS; i++)
		for (j = 0; j < functions[i].count; j += step)
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

int main(void)
{
	static const struct command commands[] = {
		{"allocate", allocate},
		{"allocate_mapped", allocate_mapped},
		{"allocate_without_brk", allocate_without_brk},
		{"free_half", free_half},
		{"free_all", free_all},
		{NULL, NULL},
	};

	return program_serve(commands);
}
