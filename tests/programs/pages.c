/* SPDX-License-Identifier: Apache-2.0 */
/* Touches a known number of pages. */
#include "program.h"

#include <sys/mman.h>
#include <unistd.h>

static char *memory;
static size_t memory_bytes;

static void touch(long pages)
{
	size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE), i;

	memory_bytes = (size_t)pages * page_bytes;
	memory = mmap(NULL, memory_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		      0);
	program_require(memory != MAP_FAILED, "a mapping");
	/* One fault a page. */
	madvise(memory, memory_bytes, MADV_NOHUGEPAGE);
	for (i = 0; i < memory_bytes; i += page_bytes)
		memory[i] = 1;
	ledger_count("pages", pages);
}

static void release(long unused)
{
	(void)unused;
	munmap(memory, memory_bytes);
}

int main(void)
{
	static const struct command commands[] = {
		{"touch", touch},
		{"release", release},
		{NULL, NULL},
	};

	return program_serve(commands);
}
