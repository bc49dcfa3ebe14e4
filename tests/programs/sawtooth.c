/* SPDX-License-Identifier: Apache-2.0 */
/* Collects for a second, then lets everything go: growth that is no leak. Runs by itself. */
#include "program.h"

#include <stdlib.h>

#define BLOCKS      100
#define BLOCK_BYTES (64 << 10)

SITE(collect_batch);

CALL_SITE static struct block collect_batch(void)
{
	return block_new(&collect_batch_site, malloc(BLOCK_BYTES), BLOCK_BYTES);
}

int main(void)
{
	struct block blocks[BLOCKS];
	size_t i;

	ledger_print();
	for (;;) {
		for (i = 0; i < BLOCKS; i++) {
			blocks[i] = collect_batch();
			program_pause(10);
		}
		for (i = 0; i < BLOCKS; i++)
			block_free(&blocks[i]);
	}
}
