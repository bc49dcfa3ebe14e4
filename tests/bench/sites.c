/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Allocates from SITES different call stacks and never frees: each bit of a site's number says from
 * which of two places the next of 14 levels is called.
 *
 * Each line of stdin is a number: so many blocks of 128 bytes are allocated from each site, and
 * what is then outstanding is printed: "SITES OBJECTS BYTES". Ends when stdin does.
 */
#include <stdio.h>
#include <stdlib.h>

#define LEVELS     14
#define SIZE_BYTES 128

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
	unsigned sites = argc == 2 ? (unsigned)atoi(argv[1]) : 0;
	unsigned long long objects = 0;
	char line[32];

	if (sites == 0 || sites > 1U << LEVELS) {
		fprintf(stderr, "usage: sites SITES (at most %u)\n", 1U << LEVELS);
		return 2;
	}
	/* stdio's own buffers are not to be blocks. */
	setvbuf(stdin, NULL, _IONBF, 0);
	setvbuf(stdout, NULL, _IONBF, 0);
	while (fgets(line, sizeof(line), stdin)) {
		unsigned count = (unsigned)atoi(line);

		for (unsigned site = 0; site < sites; site++)
			descend(LEVELS, site, count);
		objects += (unsigned long long)sites * count;
		printf("%u %llu %llu\n", sites, objects, objects * SIZE_BYTES);
	}
	return 0;
}
