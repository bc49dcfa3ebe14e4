/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Things that happen in the middle of a call of malloc: the thread ends, a signal handler jumps out
 * of it, a signal handler allocates.
 *
 * Made to happen at a known place: the page with the thread's cache of free blocks is protected, so
 * that the next malloc faults when it first looks at that cache. There glibc holds no lock and has
 * changed nothing, so that the handler may unprotect the page and do as it likes.
 */
#include "program.h"

#include <malloc.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define TIMES        50
#define THREADS      20
#define MAPPED_BYTES ((size_t)200000)

SITE(find_cache_page);
SITE(interrupted_malloc);
SITE(handler_allocates);
SITE(allocates_after);
SITE(allocates_to_resize);
SITE(allocates_after_realloc);

/* A thread's first block follows its cache within one page. */
static __thread void *cache_page;
/* What faults next. */
static __thread void *protected_page;
static size_t page_bytes;
static void (*in_handler)(void);
static sigjmp_buf outside;
static struct block handler_block;
static char alternate_stack[256 << 10];

CALL_SITE static void find_cache_page(void)
{
	struct block first = block_new(&find_cache_page_site, malloc(24), 24);

	cache_page = (void *)((uintptr_t)first.address & ~(page_bytes - 1));
}

static void protect(void *page)
{
	protected_page = page;
	program_require(!mprotect(page, page_bytes, PROT_NONE), "mprotect works");
}

static void on_fault(int signal)
{
	(void)signal;
	program_require(!mprotect(protected_page, page_bytes, PROT_READ | PROT_WRITE),
			"mprotect works");
	in_handler();
}

CALL_SITE static struct block interrupted_malloc(size_t bytes)
{
	return block_new(&interrupted_malloc_site, malloc(bytes), bytes);
}

static struct block interrupt_malloc(void (*by)(void))
{
	in_handler = by;
	protect(cache_page);
	return interrupted_malloc(100);
}

CALL_SITE static struct block allocates_after(size_t bytes)
{
	return block_new(&allocates_after_site, malloc(bytes), bytes);
}

/* A mapping of its own, whose first page realloc reads first. */
CALL_SITE static struct block allocates_to_resize(void)
{
	return block_new(&allocates_to_resize_site, malloc(MAPPED_BYTES), MAPPED_BYTES);
}

static void interrupt_realloc_by(void (*by)(void), void *address)
{
	in_handler = by;
	protect((void *)((uintptr_t)address & ~(page_bytes - 1)));
}

CALL_SITE static void handler_allocates(void)
{
	handler_block = block_new(&handler_allocates_site, malloc(300), 300);
}

static void handler_allocates_and_frees(void)
{
	handler_allocates();
	block_free(&handler_block);
}

static void handler_jumps(void)
{
	siglongjmp(outside, 1);
}

static void handler_ends_thread(void)
{
	pthread_exit(NULL);
}

static void catch_faults(int flags)
{
	struct sigaction action = {.sa_handler = on_fault, .sa_flags = flags | SA_NODEFER};

	sigaction(SIGSEGV, &action, NULL);
}

static void allocate_in_handler(long unused)
{
	size_t i;

	(void)unused;
	catch_faults(0);
	for (i = 0; i < TIMES; i++)
		interrupt_malloc(handler_allocates);
}

static void free_in_handler(long unused)
{
	size_t i;

	(void)unused;
	catch_faults(0);
	for (i = 0; i < TIMES; i++)
		interrupt_malloc(handler_allocates_and_frees);
}

static void allocate_on_alternate_stack(long unused)
{
	stack_t stack = {.ss_sp = alternate_stack, .ss_size = sizeof(alternate_stack)};
	size_t i;

	(void)unused;
	sigaltstack(&stack, NULL);
	catch_faults(SA_ONSTACK);
	for (i = 0; i < TIMES; i++)
		interrupt_malloc(handler_allocates);
}

static void jump_out(long unused)
{
	volatile size_t i;

	(void)unused;
	catch_faults(0);
	for (i = 0; i < TIMES; i++) {
		if (!sigsetjmp(outside, 1))
			interrupt_malloc(handler_jumps);
		allocates_after(200);
	}
	ledger_count("abandoned_calls", TIMES);
}

/* Both calls from one frame: the second has the stack pointer of the first, as a tail call has. */
CALL_SITE static void allocates_after_realloc(void *address)
{
	void *volatile resized = NULL;

	if (!sigsetjmp(outside, 1))
		resized = realloc(address, 2 * MAPPED_BYTES);
	program_require(!resized, "realloc is left for good");
	block_new(&allocates_after_realloc_site, malloc(200), 200);
}

static void jump_out_of_realloc(long unused)
{
	size_t i;

	(void)unused;
	catch_faults(0);
	for (i = 0; i < TIMES; i++) {
		struct block block = allocates_to_resize();

		interrupt_realloc_by(handler_jumps, block.address);
		allocates_after_realloc(block.address);
		block_free(&block);
	}
}

static void *die_in_realloc(void *address)
{
	void *volatile resized;

	interrupt_realloc_by(handler_ends_thread, address);
	resized = realloc(address, 2 * MAPPED_BYTES);
	program_require(!resized, "the thread has ended");
	return NULL;
}

static void end_threads_in_realloc(long unused)
{
	size_t i;

	(void)unused;
	catch_faults(0);
	for (i = 0; i < THREADS; i++) {
		struct block block = allocates_to_resize();
		pthread_t thread;

		program_require(!pthread_create(&thread, NULL, die_in_realloc, block.address),
				"a thread");
		pthread_join(thread, NULL);
		block_free(&block);
	}
}

/* All begin before the first ends: no thread inherits an arena, whose blocks lie anywhere. */
static void *die_in_malloc(void *all_have_begun)
{
	find_cache_page();
	allocates_after(200);
	pthread_barrier_wait(all_have_begun);
	interrupt_malloc(handler_ends_thread);
	program_require(false, "the thread has ended");
	return NULL;
}

static void end_threads(long unused)
{
	pthread_t threads[THREADS];
	pthread_barrier_t all_have_begun;
	size_t i;

	(void)unused;
	catch_faults(0);
	pthread_barrier_init(&all_have_begun, NULL, THREADS);
	for (i = 0; i < THREADS; i++)
		program_require(!pthread_create(&threads[i], NULL, die_in_malloc, &all_have_begun),
				"a thread");
	for (i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	allocates_after(200);
	ledger_count("abandoned_calls", THREADS);
}

int main(void)
{
	static const struct command commands[] = {
		{"allocate_in_handler", allocate_in_handler},
		{"free_in_handler", free_in_handler},
		{"allocate_on_alternate_stack", allocate_on_alternate_stack},
		{"jump_out", jump_out},
		{"end_threads", end_threads},
		{"jump_out_of_realloc", jump_out_of_realloc},
		{"end_threads_in_realloc", end_threads_in_realloc},
		{NULL, NULL},
	};

	page_bytes = (size_t)sysconf(_SC_PAGESIZE);
	mallopt(M_ARENA_MAX, 2 * THREADS);
	/* Said once, it stays so when mapped blocks are freed. */
	mallopt(M_MMAP_THRESHOLD, 128 << 10);
	find_cache_page();
	/* Nobody watches yet. */
	ledger_clear();
	return program_serve(commands);
}
