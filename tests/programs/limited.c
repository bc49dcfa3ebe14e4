/* SPDX-License-Identifier: Apache-2.0 */
/* malloc fails because the address space is used up. */
#include "program.h"

#include <stdlib.h>
#include <sys/resource.h>

#define LIMIT_BYTES (256 << 20)
#define BLOCK_BYTES (1 << 20)

SITE(fill_memory);

CALL_SITE static struct block fill_memory(void)
{
	return block_new(&fill_memory_site, malloc(BLOCK_BYTES), BLOCK_BYTES);
}

static void run(long unused)
{
	struct rlimit limit = {LIMIT_BYTES, LIMIT_BYTES};
	size_t failures = 0;

	(void)unused;
	program_require(!setrlimit(RLIMIT_AS, &limit), "setrlimit works");
	while (failures < 100)
		failures += !fill_memory().address;
}

int main(void)
{
	static const struct command commands[] = {{"run", run}, {NULL, NULL}};

	return program_serve(commands);
}
