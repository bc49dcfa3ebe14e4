/* SPDX-License-Identifier: Apache-2.0 */
/* Every way in which realloc and reallocarray can end. */
#include "program.h"

#include <stdint.h>
#include <stdlib.h>

SITE(first_allocates);
SITE(realloc_resizes);
SITE(reallocarray_resizes);

CALL_SITE static struct block first_allocates(size_t bytes)
{
	return block_new(&first_allocates_site, malloc(bytes), bytes);
}

/* A failed call leaves the old block as it was; success ends it, whether it moved or not. */
static void rebook(struct block *block, struct site *site, void *address, size_t bytes)
{
	struct block old = *block;

	if (!address) {
		ledger_count("failed_allocations", 1);
		return;
	}
	if (old.address)
		site_freed(old.site, old.bytes);
	*block = block_new(site, address, bytes);
}

CALL_SITE static void realloc_resizes(struct block *block, size_t bytes)
{
	void *address = realloc(block->address, bytes);

	rebook(block, &realloc_resizes_site, address, bytes);
}

CALL_SITE static void reallocarray_resizes(struct block *block, size_t count, size_t bytes)
{
	void *address = reallocarray(block->address, count, bytes);

	rebook(block, &reallocarray_resizes_site, address, count * bytes);
}

static void in_place(long unused)
{
	struct block block = first_allocates(1000);
	uintptr_t before = (uintptr_t)block.address;

	(void)unused;
	realloc_resizes(&block, 990);
	program_require((uintptr_t)block.address == before, "shrinking stays in place");
}

static void moved(long unused)
{
	struct block block = first_allocates(1000);
	struct block wall = first_allocates(1000);
	uintptr_t before = (uintptr_t)block.address;

	(void)unused;
	(void)wall;
	realloc_resizes(&block, 50000);
	program_require((uintptr_t)block.address != before, "growing against a wall moves");
}

static void failing(long unused)
{
	struct block block = first_allocates(1000);

	(void)unused;
	realloc_resizes(&block, SIZE_MAX / 2);
	program_require(block.bytes == 1000, "the old block lives");
}

static void failing_then_freed(long unused)
{
	struct block block = first_allocates(1000);

	(void)unused;
	realloc_resizes(&block, SIZE_MAX / 2);
	block_free(&block);
}

/* glibc: frees the block and returns NULL, which is not a failure. */
static void to_zero(long unused)
{
	struct block block = first_allocates(1000);

	(void)unused;
	site_freed(block.site, block.bytes);
	program_require(!realloc(block.address, 0), "realloc to 0 returns NULL");
}

static void from_null(long unused)
{
	struct block block = {0};

	(void)unused;
	realloc_resizes(&block, 1000);
}

static void array(long unused)
{
	struct block block = first_allocates(1000);

	(void)unused;
	reallocarray_resizes(&block, 100, 70);
}

static void array_overflow(long unused)
{
	struct block block = first_allocates(1000);

	(void)unused;
	reallocarray_resizes(&block, SIZE_MAX / 4, 16);
	program_require(block.bytes == 1000, "the old block lives");
}

static void array_to_zero(long unused)
{
	struct block block = first_allocates(1000);

	(void)unused;
	site_freed(block.site, block.bytes);
	program_require(!reallocarray(block.address, 0, 16), "reallocarray to 0 returns NULL");
}

/* glibc maps such blocks, and grows them by mremap inside realloc. */
static void huge(long unused)
{
	struct block block = first_allocates(4 << 20);

	(void)unused;
	realloc_resizes(&block, 24 << 20);
	realloc_resizes(&block, 8 << 20);
}

/* A block that grows a hundred times, as vectors and string builders do. */
static void step_by_step(long unused)
{
	struct block block = {0};
	size_t i;

	(void)unused;
	for (i = 1; i <= 100; i++)
		realloc_resizes(&block, i * 333);
}

int main(void)
{
	static const struct command commands[] = {
		{"in_place", in_place},
		{"moved", moved},
		{"failing", failing},
		{"failing_then_freed", failing_then_freed},
		{"to_zero", to_zero},
		{"from_null", from_null},
		{"array", array},
		{"array_overflow", array_overflow},
		{"array_to_zero", array_to_zero},
		{"huge", huge},
		{"step_by_step", step_by_step},
		{NULL, NULL},
	};

	return program_serve(commands);
}
