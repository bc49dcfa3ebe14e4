/* SPDX-License-Identifier: Apache-2.0 */
/* mmap, munmap and mremap with the meanings that a table of addresses gets wrong. */
#include "program.h"

#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#define FLOOD_MAX 4096

SITE(maps);
SITE(maps_over);

static size_t page_bytes;

static size_t pages(size_t count)
{
	return count * page_bytes;
}

static void *checked(void *address)
{
	program_require(address != MAP_FAILED, "a mapping");
	return address;
}

CALL_SITE static char *maps(size_t bytes)
{
	char *address = checked(
		mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));

	site_allocated(&maps_site, pages((bytes + page_bytes - 1) / page_bytes));
	return address;
}

/* The caller says what that takes away from the range's former owner. */
CALL_SITE static void maps_over(char *address, size_t bytes)
{
	checked(mmap(address, bytes, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
	site_allocated(&maps_over_site, bytes);
}

CALL_SITE static char *remaps(char *address, size_t old_bytes, size_t new_bytes)
{
	char *moved = checked(mremap(address, old_bytes, new_bytes, MREMAP_MAYMOVE));

	if (new_bytes < old_bytes)
		site_shrank(&maps_site, old_bytes - new_bytes);
	else
		site_grew(&maps_site, new_bytes - old_bytes);
	return moved;
}

static void unmap(char *address, size_t bytes)
{
	program_require(!munmap(address, bytes), "munmap works");
}

static void map(long unused)
{
	(void)unused;
	maps(pages(10));
	maps(pages(3) - 100);
}

static void map_and_unmap(long unused)
{
	char *address = maps(pages(10));

	(void)unused;
	unmap(address, pages(10));
	site_freed(&maps_site, pages(10));
}

static void unmap_the_middle(long unused)
{
	char *address = maps(pages(16));

	(void)unused;
	unmap(address + pages(6), pages(4));
	site_shrank(&maps_site, pages(4));
}

static void unmap_piece_by_piece(long unused)
{
	char *address = maps(pages(16));
	size_t i;

	(void)unused;
	for (i = 0; i < 16; i++)
		unmap(address + pages(15 - i), pages(1));
	site_freed(&maps_site, pages(16));
}

/* Aligning by hand, as allocators do: map twice as much, cut off head and tail. */
static void unmap_both_ends(long unused)
{
	char *address = maps(pages(32));

	(void)unused;
	unmap(address, pages(5));
	unmap(address + pages(21), pages(11));
	site_shrank(&maps_site, pages(16));
}

static void unmap_two_at_once(long unused)
{
	char *reserve = maps(pages(16));

	(void)unused;
	maps_over(reserve + pages(8), pages(8));
	site_shrank(&maps_site, pages(8));
	unmap(reserve, pages(16));
	site_freed(&maps_site, pages(8));
	site_freed(&maps_over_site, pages(8));
}

static void map_over_own(long unused)
{
	char *address = maps(pages(16));

	(void)unused;
	maps_over(address + pages(2), pages(4));
	site_shrank(&maps_site, pages(4));
}

static void grow(long unused)
{
	(void)unused;
	remaps(maps(pages(8)), pages(8), pages(4000));
}

/* A wall behind it: the mapping has to move, and its old place can be taken by another. */
static void grow_by_moving(long unused)
{
	char *reserve = maps(pages(16)), *moved;

	(void)unused;
	maps_over(reserve + pages(8), pages(8));
	site_shrank(&maps_site, pages(8));
	moved = remaps(reserve, pages(8), pages(20));
	program_require(moved != reserve, "it moved");
	maps_over(reserve, pages(8));
}

static void shrink(long unused)
{
	(void)unused;
	remaps(maps(pages(20)), pages(20), pages(5));
}

static void move_then_unmap(long unused)
{
	char *reserve = maps(pages(16)), *moved;

	(void)unused;
	maps_over(reserve + pages(8), pages(8));
	site_shrank(&maps_site, pages(8));
	moved = remaps(reserve, pages(8), pages(20));
	unmap(moved, pages(20));
	site_freed(&maps_site, pages(20));
}

static void fail(long unused)
{
	(void)unused;
	program_require(mmap(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED,
			"a mapping of nothing fails");
	program_require(mmap(NULL, SIZE_MAX / 2, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
				MAP_FAILED,
			"a mapping of everything fails");
	maps(pages(1));
}

static void fail_to_unmap(long unused)
{
	char *address = maps(pages(4));

	(void)unused;
	program_require(munmap(address, 0), "unmapping nothing fails");
	program_require(munmap(address + 1, pages(1)), "unmapping off a page's edge fails");
	program_require(munmap(address, (size_t)1 << 60), "unmapping beyond all memory fails");
}

/* More at once than a small event buffer holds; the first of them stays. */
static void flood(long count)
{
	static char *addresses[FLOOD_MAX];
	long i;

	program_require(count > 0 && count <= FLOOD_MAX, "a flood of that size");
	for (i = 0; i < count; i++)
		addresses[i] = maps(pages(1));
	for (i = 1; i < count; i++) {
		unmap(addresses[i], pages(1));
		site_freed(&maps_site, pages(1));
	}
}

int main(void)
{
	static const struct command commands[] = {
		{"map", map},
		{"map_and_unmap", map_and_unmap},
		{"unmap_the_middle", unmap_the_middle},
		{"unmap_piece_by_piece", unmap_piece_by_piece},
		{"unmap_both_ends", unmap_both_ends},
		{"unmap_two_at_once", unmap_two_at_once},
		{"map_over_own", map_over_own},
		{"grow", grow},
		{"grow_by_moving", grow_by_moving},
		{"shrink", shrink},
		{"move_then_unmap", move_then_unmap},
		{"fail", fail},
		{"fail_to_unmap", fail_to_unmap},
		{"flood", flood},
		{NULL, NULL},
	};

	page_bytes = (size_t)sysconf(_SC_PAGESIZE);
	return program_serve(commands);
}
