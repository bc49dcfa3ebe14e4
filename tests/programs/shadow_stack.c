/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Allocates under a shadow stack (CET), which holds every return address a second time: a return to
 * anywhere else ends the program. Where the CPU or the kernel has none it says so and goes on
 * without.
 */
#include "program.h"

#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

/* arch/x86/include/uapi/asm/prctl.h */
#define ARCH_SHSTK_ENABLE 0x5001
#define ARCH_SHSTK_SHSTK  1UL

SITE(guarded_allocates);
SITE(guarded_resizes);

CALL_SITE static struct block guarded_allocates(void)
{
	return block_new(&guarded_allocates_site, malloc(220), 220);
}

CALL_SITE static struct block guarded_resizes(struct block block)
{
	site_freed(block.site, block.bytes);
	return block_new(&guarded_resizes_site, realloc(block.address, 4400), 4400);
}

static void allocate(long count)
{
	while (count-- > 0) {
		struct block block = guarded_resizes(guarded_allocates());

		if (count % 3)
			block_free(&block);
	}
}

/*
 * The shadow stack begins empty: what has been called by now must never return. So the system call
 * is made right here, and the program ends by exit.
 */
int main(void)
{
	static const struct command commands[] = {
		{"allocate", allocate},
		{NULL, NULL},
	};
	long result = SYS_arch_prctl;

	__asm__ volatile("syscall"
			 : "+a"(result)
			 : "D"(ARCH_SHSTK_ENABLE), "S"(ARCH_SHSTK_SHSTK)
			 : "rcx", "r11", "memory");
	ledger_count("shadow_stack", result == 0);
	exit(program_serve(commands));
}
