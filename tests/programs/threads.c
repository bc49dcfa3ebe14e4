/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Eight threads that allocate, resize and free, handing blocks to each other through shared slots,
 * and leak one in 64. Run for a number of rounds, or until told to stop.
 */
#include "program.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define THREADS     8
#define SLOTS       4096
#define FOR_EVER    0
#define LEAK_ONE_IN 64
#define BRIEF_BYTES 1

SITE(thread_mallocs);
SITE(thread_callocs);
SITE(thread_reallocs);
SITE(thread_aligns);
SITE(thread_leaks);
SITE(brief_thread_allocates);

/* What a slot holds; the ledger's entry lives in the block's first bytes. */
struct item {
	struct site *site;
	size_t bytes;
};

static _Atomic(struct item *) slots[SLOTS];
static pthread_t threads[THREADS];
static atomic_bool is_stopping;
static long rounds;

static struct item *book(struct site *site, void *address, size_t bytes)
{
	struct item *item = address;

	program_require(item, "memory");
	*item = (struct item){.site = site, .bytes = bytes};
	site_allocated(site, bytes);
	return item;
}

CALL_SITE static struct item *thread_mallocs(size_t bytes)
{
	return book(&thread_mallocs_site, malloc(bytes), bytes);
}

CALL_SITE static struct item *thread_callocs(size_t bytes)
{
	return book(&thread_callocs_site, calloc(2, bytes), 2 * bytes);
}

CALL_SITE static struct item *thread_aligns(size_t bytes)
{
	void *address = NULL;
	int error = posix_memalign(&address, 64, bytes);

	program_require(!error, "aligned memory");
	return book(&thread_aligns_site, address, bytes);
}

CALL_SITE static struct item *thread_reallocs(struct item *item, size_t bytes)
{
	if (item)
		site_freed(item->site, item->bytes);
	return book(&thread_reallocs_site, realloc(item, bytes), bytes);
}

CALL_SITE static void thread_leaks(size_t bytes)
{
	book(&thread_leaks_site, malloc(bytes), bytes);
}

/* Too small a block for a ledger entry, and all that the thread does. */
CALL_SITE static void *brief_thread_allocates(void *unused)
{
	(void)unused;
	block_new(&brief_thread_allocates_site, malloc(BRIEF_BYTES), BRIEF_BYTES);
	return NULL;
}

static void drop(struct item *item)
{
	if (item)
		site_freed(item->site, item->bytes);
	free(item);
}

static void work_once(uint32_t random)
{
	_Atomic(struct item *) *slot = &slots[random % SLOTS];
	struct item *item = atomic_exchange(slot, NULL);
	size_t bytes = sizeof(*item) + (random >> 12) % 600;

	if (random % LEAK_ONE_IN == 0)
		thread_leaks(bytes);
	switch (random >> 24 & 7) {
	case 0:
		drop(item);
		return;
	case 1:
		drop(item);
		item = thread_callocs(bytes);
		break;
	case 2:
		drop(item);
		item = thread_aligns(bytes);
		break;
	case 3:
	case 4:
		item = thread_reallocs(item, bytes);
		break;
	default:
		drop(item);
		item = thread_mallocs(bytes);
		break;
	}
	drop(atomic_exchange(slot, item));
}

static void *work(void *number)
{
	uint32_t random = 2463534242u + (uint32_t)(uintptr_t)number * 77777;
	long i;

	for (i = 0; rounds == FOR_EVER ? !is_stopping : i < rounds; i++) {
		/* xorshift32 */
		random ^= random << 13;
		random ^= random >> 17;
		random ^= random << 5;
		work_once(random);
	}
	return NULL;
}

static void create_threads(void *(*function)(void *))
{
	uintptr_t i;

	for (i = 0; i < THREADS; i++)
		program_require(!pthread_create(&threads[i], NULL, function, (void *)i),
				"a thread");
}

static void start_threads(long rounds_each)
{
	rounds = rounds_each;
	is_stopping = false;
	create_threads(work);
}

static void join_threads(void)
{
	size_t i;

	for (i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
}

static void start(long unused)
{
	(void)unused;
	start_threads(FOR_EVER);
}

static void stop(long unused)
{
	(void)unused;
	is_stopping = true;
	join_threads();
}

static void run(long rounds_each)
{
	start_threads(rounds_each);
	join_threads();
}

static void run_briefly(long times)
{
	while (times--) {
		create_threads(brief_thread_allocates);
		join_threads();
	}
}

/* The process goes on in its other threads; the answer to this command is its last. */
static void leave_main_thread(long unused)
{
	(void)unused;
	start_threads(FOR_EVER);
	ledger_print();
	pthread_exit(NULL);
}

static void vfork_and_exec(long times)
{
	int status;

	while (times-- > 0) {
		pid_t child = vfork();

		if (!child) {
			execl("/bin/true", "true", (char *)NULL);
			_exit(EXIT_FAILURE);
		}
		program_require(waitpid(child, &status, 0) == child && !status, "it ends well");
	}
}

static void free_all(long unused)
{
	size_t i;

	(void)unused;
	for (i = 0; i < SLOTS; i++)
		drop(atomic_exchange(&slots[i], NULL));
}

int main(void)
{
	static const struct command commands[] = {
		{"start", start},
		{"stop", stop},
		{"run", run},
		{"run_briefly", run_briefly},
		{"leave_main_thread", leave_main_thread},
		{"vfork_and_exec", vfork_and_exec},
		{"free_all", free_all},
		{NULL, NULL},
	};

	return program_serve(commands);
}
