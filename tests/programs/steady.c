/* SPDX-License-Identifier: Apache-2.0 */
/* Allocates and frees all the time, and holds the same throughout. Runs by itself. */
#include "program.h"

#include <stdlib.h>

#define BLOCKS      64
#define BLOCK_BYTES (32 << 10)

SITE(work_steadily);

CALL_SITE static struct block work_steadily(void)
{
	return block_new(&work_steadily_site, malloc(BLOCK_BYTES), BLOCK_BYTES);
}

int main(void)
{
	struct block blocks[BLOCKS] = {{0}};
	size_t i;

	ledger_print();
	for (i = 0;; i++) {
		block_free(&blocks[i % BLOCKS]);
		blocks[i % BLOCKS] = work_steadily();
		program_pause(5);
	}
}
