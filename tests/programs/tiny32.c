/* SPDX-License-Identifier: Apache-2.0 */
/* A 32-bit process, without a C library, that waits to be killed. Built with -m32 -nostdlib. */

void _start(void);

static int system_call(int number)
{
	int result;

	__asm__ volatile("int $0x80" : "=a"(result) : "a"(number) : "memory");
	return result;
}

void _start(void)
{
	enum { SYSTEM_CALL_PAUSE = 29 };

	for (;;)
		system_call(SYSTEM_CALL_PAUSE);
}
