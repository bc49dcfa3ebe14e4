/* SPDX-License-Identifier: Apache-2.0 */
/* A process without any library, thus without an allocator, that waits to be killed. */
#include <asm/unistd.h>

void _start(void);

static long poll_nothing_for_ever(void)
{
#ifdef __x86_64__
	long result;

	/* ppoll(NULL, 0, NULL, NULL, 0) */
	register long mask_size __asm__("r8") = 0;
	register long mask __asm__("r10") = 0;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(__NR_ppoll), "D"(0L), "S"(0L), "d"(0L), "r"(mask), "r"(mask_size)
			 : "rcx", "r11", "memory");
	return result;
#else
	register long number __asm__("x8") = __NR_ppoll;
	register long fds __asm__("x0") = 0;
	register long count __asm__("x1") = 0;
	register long timeout __asm__("x2") = 0;
	register long mask __asm__("x3") = 0;
	register long mask_size __asm__("x4") = 0;

	__asm__ volatile("svc 0"
			 : "+r"(fds)
			 : "r"(number), "r"(count), "r"(timeout), "r"(mask), "r"(mask_size)
			 : "memory");
	return fds;
#endif
}

void _start(void)
{
	for (;;)
		poll_nothing_for_ever();
}
