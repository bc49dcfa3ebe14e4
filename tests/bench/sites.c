/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Holds SITES x BLOCKS blocks of 32 bytes, allocated from SITES different call stacks: each bit of
 * a site's number says from which of two places the next of 14 levels is called.
 *
 * Waits for a line on stdin before it begins (by then it is watched), says what is outstanding as
 * "sites=N objects=N bytes=N", and holds it until stdin ends.
 */
#include <stdio.h>
#include <stdlib.h>

#define LEVELS     14
#define SIZE_BYTES 32

struct block {
	struct block *next;
};
static struct block *blocks;

__attribute__((noinline)) static void allocate(unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		struct block *block = malloc(SIZE_BYTES);

		if (!block)
			abort();
		block->next = blocks;
		blocks = block;
	}
	__asm__ volatile("" : : : "memory");
}

__attribute__((noinline)) static void descend(unsigned level, unsigned site, unsigned count)
{
	if (level == 0)
		allocate(count);
	else if (site & 1)
		descend(level - 1, site >> 1, count);
	else {
		descend(level - 1, site >> 1, count);
		/* What follows differs, so that the compiler cannot merge the two calls into one.
		 */
		__asm__ volatile("nop" : : : "memory");
	}
	__asm__ volatile("" : : : "memory");
}

int main(int argc, char **argv)
{
	unsigned sites = argc == 3 ? (unsigned)atoi(argv[1]) : 0;
	unsigned count = argc == 3 ? (unsigned)atoi(argv[2]) : 0;

	if (sites == 0 || sites > 1U << LEVELS || count == 0) {
		fprintf(stderr, "usage: sites SITES BLOCKS (at most %u sites)\n", 1U << LEVELS);
		return 2;
	}
	/* stdio's own buffers are not to be blocks. */
	setvbuf(stdin, NULL, _IONBF, 0);
	setvbuf(stdout, NULL, _IONBF, 0);
	if (getchar() == EOF)
		return 1;
	for (unsigned site = 0; site < sites; site++)
		descend(LEVELS, site, count);
	printf("sites=%u objects=%u bytes=%llu\n", sites, sites * count,
	       (unsigned long long)sites * count * SIZE_BYTES);
	while (getchar() != EOF)
		;
	return 0;
}
