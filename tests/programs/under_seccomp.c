/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Allocates under a seccomp filter that kills at every system call but those that the program makes
 * itself: the probes' own is not among them. Filters belong to threads; "filter" as an argument
 * puts one on the main thread before anybody can watch.
 */
#include "program.h"
#include "seccomp_filter.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

SITE(filtered_allocates);
SITE(filtered_reallocates);
SITE(thread_allocates);

static pthread_t thread;
/* That the thread is to allocate; it sets it to 0 when they are there. < 0: it is to end. */
static atomic_long ordered_blocks;

static void filter_thread(void)
{
	static const uint32_t calls[] = {
		SYS_read,      SYS_write,          SYS_exit,   SYS_exit_group,
		SYS_brk,       SYS_mmap,           SYS_munmap, SYS_mremap,
		SYS_mprotect,  SYS_madvise,        SYS_futex,  SYS_getpid,
		SYS_getrandom, SYS_rt_sigprocmask, SYS_rseq,   SYS_prctl,
	};

	filter_allow_only(calls, COUNT(calls));
}

CALL_SITE static struct block filtered_allocates(size_t bytes)
{
	return block_new(&filtered_allocates_site, malloc(bytes), bytes);
}

CALL_SITE static struct block filtered_reallocates(size_t bytes)
{
	return block_new(&filtered_reallocates_site, realloc(NULL, bytes), bytes);
}

/* Half of them stay. */
static void allocate(long count)
{
	while (count-- > 0) {
		struct block block = filtered_allocates(100);

		filtered_reallocates(5000);
		if (count & 1)
			block_free(&block);
	}
}

static void filter(long unused)
{
	(void)unused;
	filter_thread();
}

CALL_SITE static void thread_allocates(void)
{
	block_new(&thread_allocates_site, malloc(300), 300);
}

/* Under the filter there may be no system call for waiting: it looks again and again. */
static void *serve_filtered(void *is_strict)
{
	long count;

	/* Its arena has room before the filter is there. */
	free(malloc(100 << 10));
	if (is_strict)
		program_require(!prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT), "strict mode");
	else
		filter_thread();
	ordered_blocks = 0;
	while ((count = ordered_blocks) >= 0) {
		for (; count > 0; count--)
			thread_allocates();
		if (ordered_blocks > 0)
			ordered_blocks = 0;
	}
	syscall(SYS_exit, 0);
	return NULL;
}

static void wait_for_thread(void)
{
	while (ordered_blocks)
		sched_yield();
}

static void start_thread(bool is_strict)
{
	ordered_blocks = 1;
	program_require(
		!pthread_create(&thread, NULL, serve_filtered, is_strict ? &ordered_blocks : NULL),
		"a thread");
	wait_for_thread();
}

/* The only thread that has a filter. It answers when it has it. */
static void start_filtered_thread(long unused)
{
	(void)unused;
	start_thread(false);
}

/* Nothing but read, write, exit and sigreturn. */
static void start_strict_thread(long unused)
{
	(void)unused;
	start_thread(true);
}

static void allocate_in_thread(long count)
{
	ordered_blocks = count;
	wait_for_thread();
}

static void end_thread(long unused)
{
	(void)unused;
	ordered_blocks = -1;
	pthread_join(thread, NULL);
}

int main(int argc, char **argv)
{
	static const struct command commands[] = {
		{"allocate", allocate},
		{"filter", filter},
		{"start_filtered_thread", start_filtered_thread},
		{"start_strict_thread", start_strict_thread},
		{"allocate_in_thread", allocate_in_thread},
		{"end_thread", end_thread},
		{NULL, NULL},
	};

	if (argc > 1 && !strcmp(argv[1], "filter"))
		filter_thread();
	return program_serve(commands);
}
