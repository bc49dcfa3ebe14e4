/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls every allocation function that the allocator of this process brings, each from a function
 * of its own. Which ones there are shows by weak symbols: the allocator is linked or preloaded.
 */
#include "program.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define WEAK __attribute__((weak))

/* The prototypes of allocators, as far as they are called here; their headers need not be there. */
WEAK void *memalign(size_t alignment, size_t size);
WEAK void *valloc(size_t size);
WEAK void *pvalloc(size_t size);
WEAK void *reallocarray(void *old, size_t count, size_t size);
WEAK void cfree(void *old);

WEAK void *mallocx(size_t size, int flags);
WEAK void *rallocx(void *old, size_t size, int flags);
WEAK size_t xallocx(void *old, size_t size, size_t extra, int flags);
WEAK void dallocx(void *old, int flags);
WEAK void sdallocx(void *old, size_t size, int flags);

WEAK void *tc_malloc(size_t size);
WEAK void *tc_malloc_skip_new_handler(size_t size);
WEAK void *tc_calloc(size_t count, size_t size);
WEAK void *tc_memalign(size_t alignment, size_t size);
WEAK void *tc_new(size_t size);
WEAK void *tc_newarray(size_t size);
WEAK void *tc_new_nothrow(size_t size, const void *unused);
WEAK void tc_free(void *old);
WEAK void tc_free_sized(void *old, size_t size);
WEAK void tc_delete(void *old);

WEAK void *mi_malloc(size_t size);
WEAK void *mi_zalloc(size_t size);
WEAK void *mi_calloc(size_t count, size_t size);
WEAK void *mi_mallocn(size_t count, size_t size);
WEAK void *mi_malloc_small(size_t size);
WEAK void *mi_zalloc_small(size_t size);
WEAK void *mi_malloc_aligned(size_t size, size_t alignment);
WEAK void *mi_zalloc_aligned(size_t size, size_t alignment);
WEAK void *mi_calloc_aligned(size_t count, size_t size, size_t alignment);
WEAK void *mi_malloc_aligned_at(size_t size, size_t alignment, size_t offset);
WEAK void *mi_heap_get_default(void);
WEAK void *mi_heap_malloc(void *heap, size_t size);
WEAK void *mi_heap_calloc(void *heap, size_t count, size_t size);
WEAK void *mi_heap_malloc_aligned(void *heap, size_t size, size_t alignment);
WEAK void *mi_new(size_t size);
WEAK void *mi_new_n(size_t count, size_t size);
WEAK void *mi_new_aligned(size_t size, size_t alignment);
WEAK void *mi_new_nothrow(size_t size);
WEAK void *mi_aligned_alloc(size_t alignment, size_t size);
WEAK void *mi_valloc(size_t size);
WEAK void *mi_realloc(void *old, size_t size);
WEAK void *mi_reallocn(void *old, size_t count, size_t size);
WEAK void *mi_reallocf(void *old, size_t size);
WEAK void *mi_recalloc(void *old, size_t count, size_t size);
WEAK void *mi_rezalloc(void *old, size_t size);
WEAK void *mi_realloc_aligned(void *old, size_t size, size_t alignment);
WEAK void *mi_expand(void *old, size_t size);
WEAK void mi_free(void *old);
WEAK void mi_free_size(void *old, size_t size);
WEAK void mi_cfree(void *old);

#define BLOCKS_EACH 50
#define MANY_EACH   20000
#define MANY_BYTES  2000

/* ---- Allocating ---- */

#define ALLOCATE_BY(name, call, booked_bytes)                       \
	SITE(name);                                                 \
	CALL_SITE static struct block name(size_t bytes)            \
	{                                                           \
		return block_new(&name##_site, call, booked_bytes); \
	}

ALLOCATE_BY(by_malloc, malloc(bytes), bytes)
ALLOCATE_BY(by_calloc, calloc(3, bytes), 3 * bytes)
ALLOCATE_BY(by_realloc, realloc(NULL, bytes), bytes)
ALLOCATE_BY(by_aligned_alloc, aligned_alloc(128, (bytes + 127) / 128 * 128),
	    (bytes + 127) / 128 * 128)
ALLOCATE_BY(by_reallocarray, reallocarray(NULL, 5, bytes), 5 * bytes)
ALLOCATE_BY(by_memalign, memalign(64, bytes), bytes)
ALLOCATE_BY(by_valloc, valloc(bytes), bytes)
ALLOCATE_BY(by_pvalloc, pvalloc(bytes), (bytes + 4095) / 4096 * 4096)

ALLOCATE_BY(by_mallocx, mallocx(bytes, 0), bytes)
ALLOCATE_BY(by_mallocx_aligned, mallocx(bytes, 8), bytes) /* MALLOCX_LG_ALIGN(8) */

ALLOCATE_BY(by_tc_malloc, tc_malloc(bytes), bytes)
ALLOCATE_BY(by_tc_malloc_skip, tc_malloc_skip_new_handler(bytes), bytes)
ALLOCATE_BY(by_tc_calloc, tc_calloc(2, bytes), 2 * bytes)
ALLOCATE_BY(by_tc_memalign, tc_memalign(512, bytes), bytes)
ALLOCATE_BY(by_tc_new, tc_new(bytes), bytes)
ALLOCATE_BY(by_tc_newarray, tc_newarray(bytes), bytes)
ALLOCATE_BY(by_tc_new_nothrow, tc_new_nothrow(bytes, ""), bytes)

ALLOCATE_BY(by_mi_malloc, mi_malloc(bytes), bytes)
ALLOCATE_BY(by_mi_zalloc, mi_zalloc(bytes), bytes)
ALLOCATE_BY(by_mi_calloc, mi_calloc(2, bytes), 2 * bytes)
ALLOCATE_BY(by_mi_mallocn, mi_mallocn(7, bytes), 7 * bytes)
ALLOCATE_BY(by_mi_malloc_small, mi_malloc_small(1 + bytes % 1000), 1 + bytes % 1000)
ALLOCATE_BY(by_mi_zalloc_small, mi_zalloc_small(1 + bytes % 1000), 1 + bytes % 1000)
ALLOCATE_BY(by_mi_malloc_aligned, mi_malloc_aligned(bytes, 256), bytes)
ALLOCATE_BY(by_mi_zalloc_aligned, mi_zalloc_aligned(bytes, 8192), bytes)
ALLOCATE_BY(by_mi_calloc_aligned, mi_calloc_aligned(3, bytes, 64), 3 * bytes)
ALLOCATE_BY(by_mi_malloc_aligned_at, mi_malloc_aligned_at(bytes, 256, 16), bytes)
ALLOCATE_BY(by_mi_heap_malloc, mi_heap_malloc(mi_heap_get_default(), bytes), bytes)
ALLOCATE_BY(by_mi_heap_calloc, mi_heap_calloc(mi_heap_get_default(), 2, bytes), 2 * bytes)
ALLOCATE_BY(by_mi_heap_aligned, mi_heap_malloc_aligned(mi_heap_get_default(), bytes, 1024), bytes)
ALLOCATE_BY(by_mi_new, mi_new(bytes), bytes)
ALLOCATE_BY(by_mi_new_n, mi_new_n(3, bytes), 3 * bytes)
ALLOCATE_BY(by_mi_new_aligned, mi_new_aligned(bytes, 128), bytes)
ALLOCATE_BY(by_mi_new_nothrow, mi_new_nothrow(bytes), bytes)
ALLOCATE_BY(by_mi_aligned_alloc, mi_aligned_alloc(64, (bytes + 63) / 64 * 64),
	    (bytes + 63) / 64 * 64)
ALLOCATE_BY(by_mi_valloc, mi_valloc(bytes), bytes)

SITE(by_posix_memalign);
CALL_SITE static struct block by_posix_memalign(size_t bytes)
{
	void *address;
	int error = posix_memalign(&address, 2048, bytes);

	return block_new(&by_posix_memalign_site, error ? NULL : address, bytes);
}

static bool always(void)
{
	return true;
}

/* glibc's own would come from another heap than free. */
static bool has_pvalloc(void)
{
	return tc_malloc || mi_malloc;
}

static bool has_memalign(void)
{
	return memalign;
}

static bool has_valloc(void)
{
	return valloc;
}

static bool has_reallocarray(void)
{
	return reallocarray;
}

static bool is_jemalloc(void)
{
	return mallocx;
}

static bool is_tcmalloc(void)
{
	return tc_malloc;
}

static bool is_mimalloc(void)
{
	return mi_malloc;
}

static const struct allocate {
	bool (*is_there)(void);
	struct block (*run)(size_t bytes);
} allocates[] = {
	{always, by_malloc},
	{always, by_calloc},
	{always, by_realloc},
	{always, by_aligned_alloc},
	{always, by_posix_memalign},
	{has_reallocarray, by_reallocarray},
	{has_memalign, by_memalign},
	{has_valloc, by_valloc},
	{has_pvalloc, by_pvalloc},
	{is_jemalloc, by_mallocx},
	{is_jemalloc, by_mallocx_aligned},
	{is_tcmalloc, by_tc_malloc},
	{is_tcmalloc, by_tc_malloc_skip},
	{is_tcmalloc, by_tc_calloc},
	{is_tcmalloc, by_tc_memalign},
	{is_tcmalloc, by_tc_new},
	{is_tcmalloc, by_tc_newarray},
	{is_tcmalloc, by_tc_new_nothrow},
	{is_mimalloc, by_mi_malloc},
	{is_mimalloc, by_mi_zalloc},
	{is_mimalloc, by_mi_calloc},
	{is_mimalloc, by_mi_mallocn},
	{is_mimalloc, by_mi_malloc_small},
	{is_mimalloc, by_mi_zalloc_small},
	{is_mimalloc, by_mi_malloc_aligned},
	{is_mimalloc, by_mi_zalloc_aligned},
	{is_mimalloc, by_mi_calloc_aligned},
	{is_mimalloc, by_mi_malloc_aligned_at},
	{is_mimalloc, by_mi_heap_malloc},
	{is_mimalloc, by_mi_heap_calloc},
	{is_mimalloc, by_mi_heap_aligned},
	{is_mimalloc, by_mi_new},
	{is_mimalloc, by_mi_new_n},
	{is_mimalloc, by_mi_new_aligned},
	{is_mimalloc, by_mi_new_nothrow},
	{is_mimalloc, by_mi_aligned_alloc},
	{is_mimalloc, by_mi_valloc},
};
#define ALLOCATES (sizeof(allocates) / sizeof(allocates[0]))

static struct block blocks[ALLOCATES][BLOCKS_EACH];
static struct block many[ALLOCATES][MANY_EACH];

static void allocate(long unused)
{
	(void)unused;
	for (size_t i = 0; i < ALLOCATES; i++)
		for (size_t k = 0; allocates[i].is_there() && k < BLOCKS_EACH; k++)
			blocks[i][k] = allocates[i].run(1 + 97 * k);
}

/* Each function's blocks of one size, as sampling's error is reckoned from that. */
static void allocate_many(long count)
{
	for (size_t i = 0; i < ALLOCATES; i++)
		for (long k = 0; allocates[i].is_there() && k < count && k < MANY_EACH; k++)
			many[i][k] = allocates[i].run(MANY_BYTES / (1 + i % 3));
}

/* ---- Resizing: the block is then the resizing call's ---- */

#define RESIZE_BY(name, call)                                         \
	SITE(name);                                                   \
	CALL_SITE static void name(struct block *block, size_t bytes) \
	{                                                             \
		void *old = block->address;                           \
		void *address = call;                                 \
                                                                      \
		program_require(address, #name);                      \
		site_freed(block->site, block->bytes);                \
		*block = block_new(&name##_site, address, bytes);     \
	}

RESIZE_BY(resize_realloc, realloc(old, bytes))
RESIZE_BY(resize_rallocx, rallocx(old, bytes, 0))
RESIZE_BY(resize_mi_realloc, mi_realloc(old, bytes))
RESIZE_BY(resize_mi_reallocn, mi_reallocn(old, 1, bytes))
RESIZE_BY(resize_mi_reallocf, mi_reallocf(old, bytes))
RESIZE_BY(resize_mi_recalloc, mi_recalloc(old, 1, bytes))
RESIZE_BY(resize_mi_rezalloc, mi_rezalloc(old, bytes))
RESIZE_BY(resize_mi_realloc_aligned, mi_realloc_aligned(old, bytes, 256))
/* In place: no more than it has in any case. */
RESIZE_BY(resize_mi_expand, mi_expand(old, bytes))

SITE(resize_xallocx);
CALL_SITE static void resize_xallocx(struct block *block, size_t bytes)
{
	program_require(xallocx(block->address, bytes, 0, 0) >= bytes, "xallocx shrinks");
	site_freed(block->site, block->bytes);
	*block = block_new(&resize_xallocx_site, block->address, bytes);
}

static const struct resize {
	bool (*is_there)(void);
	void (*run)(struct block *block, size_t bytes);
	bool is_in_place;
} resizes[] = {
	{always, resize_realloc, false},
	{is_jemalloc, resize_rallocx, false},
	{is_jemalloc, resize_xallocx, true},
	{is_mimalloc, resize_mi_realloc, false},
	{is_mimalloc, resize_mi_reallocn, false},
	{is_mimalloc, resize_mi_reallocf, false},
	{is_mimalloc, resize_mi_recalloc, false},
	{is_mimalloc, resize_mi_rezalloc, false},
	{is_mimalloc, resize_mi_realloc_aligned, false},
	{is_mimalloc, resize_mi_expand, true},
};
#define RESIZES (sizeof(resizes) / sizeof(resizes[0]))

static struct block resized[RESIZES][BLOCKS_EACH];

static void resize(long unused)
{
	(void)unused;
	for (size_t i = 0; i < RESIZES; i++) {
		for (size_t k = 0; resizes[i].is_there() && k < BLOCKS_EACH; k++) {
			size_t bytes = 1000 + 97 * k;

			resized[i][k] = by_malloc(bytes);
			resizes[i].run(&resized[i][k],
				       resizes[i].is_in_place ? bytes - 10 : 3 * bytes);
		}
	}
}

/* What can't be had leaves the block as it is. */
CALL_SITE static void resize_in_vain(struct block *block)
{
	size_t too_much = SIZE_MAX / 2 - 4096;

	program_require(!realloc(block->address, too_much), "too much fails");
	ledger_count("failed_allocations", 1);
	if (!is_jemalloc())
		return;
	/* Fails in silence: a block that was to grow in place is no lack of memory. */
	program_require(xallocx(block->address, 1 << 20, 0, 0) < 1 << 20, "no room in place");
}

static void fail_to_resize(long unused)
{
	(void)unused;
	for (size_t k = 0; k < BLOCKS_EACH; k++)
		if (blocks[0][k].address)
			resize_in_vain(&blocks[0][k]);
}

/* ---- Freeing, in turn by each way that there is ---- */

static void free_by_turns(struct block *block, size_t turn)
{
	void *address = block->address;
	size_t bytes = block->bytes;

	if (!address)
		return;
	site_freed(block->site, bytes);
	memset(block, 0, sizeof(*block));
	switch (turn % 4) {
	case 0:
		if (is_jemalloc())
			dallocx(address, 0);
		else if (is_tcmalloc())
			tc_free(address);
		else if (is_mimalloc())
			mi_free(address);
		else
			free(address);
		break;
	case 1:
		if (is_jemalloc())
			sdallocx(address, bytes, 0);
		else if (is_tcmalloc())
			tc_free_sized(address, bytes);
		else if (is_mimalloc())
			mi_free_size(address, bytes);
		else
			free(address);
		break;
	case 2:
		if (is_tcmalloc())
			tc_delete(address);
		else if (is_mimalloc())
			mi_cfree(address);
		else
			free(address);
		break;
	default:
		free(address);
		break;
	}
}

/* Sized frees are for blocks that were not aligned: the first three functions' are not. */
static void free_every(size_t step)
{
	for (size_t i = 0; i < ALLOCATES; i++)
		for (size_t k = 0; k < BLOCKS_EACH; k += step)
			free_by_turns(&blocks[i][k], i < 3 ? k / step : 3);
	for (size_t i = 0; i < RESIZES; i++)
		for (size_t k = 0; k < BLOCKS_EACH; k += step)
			free_by_turns(&resized[i][k], 3);
	for (size_t i = 0; i < ALLOCATES; i++)
		for (size_t k = 0; k < MANY_EACH; k += step)
			free_by_turns(&many[i][k], 3);
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

static void allocate_large(long unused)
{
	(void)unused;
	blocks[0][0] = by_malloc(32 << 20);
	blocks[1][0] = by_calloc(16 << 20);
}

int main(void)
{
	static const struct command commands[] = {
		{"allocate", allocate},
		{"allocate_many", allocate_many},
		{"allocate_large", allocate_large},
		{"resize", resize},
		{"fail_to_resize", fail_to_resize},
		{"free_half", free_half},
		{"free_all", free_all},
		{NULL, NULL},
	};

	return program_serve(commands);
}
