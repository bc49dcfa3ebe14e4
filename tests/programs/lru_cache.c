/* SPDX-License-Identifier: Apache-2.0 */
/* A bounded cache: what is looked up moves to the front, the last one falls out. Runs by itself. */
#include "program.h"

#include <stdlib.h>
#include <string.h>

#define ENTRIES     200
#define KEYS        1024
#define ENTRY_BYTES (16 << 10)

SITE(cache_insert);

struct entry {
	unsigned key;
	struct block block;
};

static struct entry entries[ENTRIES]; /* most recently used first */

CALL_SITE static struct block cache_insert(void)
{
	return block_new(&cache_insert_site, malloc(ENTRY_BYTES), ENTRY_BYTES);
}

static void look_up(unsigned key)
{
	struct entry found = {.key = key};
	size_t i;

	for (i = 0; i < ENTRIES - 1; i++)
		if (entries[i].block.address && entries[i].key == key)
			break;
	if (entries[i].block.address && entries[i].key == key) {
		found = entries[i];
	} else {
		block_free(&entries[i].block);
		found.block = cache_insert();
	}
	memmove(entries + 1, entries, i * sizeof(*entries));
	entries[0] = found;
}

int main(void)
{
	unsigned random = 1;

	ledger_print();
	for (;;) {
		random = random * 1103515245 + 12345;
		look_up(random >> 16 & 1 ? random >> 20 & 63 : random >> 17 & (KEYS - 1));
		program_pause(2);
	}
}
