/* SPDX-License-Identifier: Apache-2.0 */
/*
 * "grow": allocates and touches memory, reporting after each step, until the kernel kills it; to be
 * run in a small memory cgroup.
 */
#include "program.h"

#include <stdlib.h>
#include <string.h>

#define ROW_BYTES   (1 << 20)
#define INDEX_BYTES (100 << 10)

SITE(keep_row);
SITE(keep_index);

CALL_SITE static void keep_row(void)
{
	struct block row = block_new(&keep_row_site, malloc(ROW_BYTES), ROW_BYTES);

	memset(row.address, 1, row.bytes);
}

CALL_SITE static void keep_index(void)
{
	struct block index = block_new(&keep_index_site, malloc(INDEX_BYTES), INDEX_BYTES);

	memset(index.address, 1, index.bytes);
}

static void grow(long unused)
{
	(void)unused;
	for (;;) {
		keep_row();
		ledger_print();
		keep_index();
		ledger_print();
	}
}

int main(void)
{
	static const struct command commands[] = {{"grow", grow}, {NULL, NULL}};

	return program_serve(commands);
}
