/* SPDX-License-Identifier: Apache-2.0 */
/* A process that reports its own heap samples, well and badly. */
#include "contract.h"

#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define BLOCKS_MAX     (1 << 18)
#define INTERVAL_BYTES 65536.0

/* ---- Reports with weights that are given: what was reported is booked, exactly */

struct reported {
	void *address;
	struct site *site;
	long long size, weight;
};

static struct reported reported[BLOCKS_MAX];
static size_t reported_count;

/* A function with a probe of its own; statement reports. */
#define REPORTS(name, bytes_each, weight_each, ...)                                        \
	SITE(name);                                                                        \
	CALL_SITE static void name(void)                                                   \
	{                                                                                  \
		void *address = malloc(bytes_each);                                        \
                                                                                           \
		program_require(address &&reported_count < BLOCKS_MAX, "memory");          \
		if (!CONTRACT_IS_WATCHED)                                                  \
			return;                                                            \
		__VA_ARGS__;                                                               \
		contract_book(&name##_site, bytes_each, weight_each);                      \
		reported[reported_count++] =                                               \
			(struct reported){address, &name##_site, bytes_each, weight_each}; \
	}

static volatile size_t registers_size = 48;
static volatile uint64_t registers_weight = 48 * 1000;
static volatile int narrow_size = 200;
static volatile unsigned short narrower_weight = 60000;

struct report {
	char head[24];
	struct {
		uint64_t size, weight;
	} of[4];
};

static struct report on_heap = {.of = {[2] = {.size = 640, .weight = 640 * 77}}};
static struct report *volatile report_on_heap = &on_heap;
static volatile size_t report_index = 2;

REPORTS(by_constants, 100, 100 * 655, CONTRACT_ALLOC(address, 100, 100 * 655))
REPORTS(by_registers, 48, 48 * 1000, {
	size_t size = registers_size;
	uint64_t weight = registers_weight;

	__asm__("" : "+r"(size), "+r"(weight));
	CONTRACT_ALLOC(address, size, weight);
})
REPORTS(by_narrow_types, 200, 60000, {
	int size = narrow_size;
	unsigned short weight = narrower_weight;

	__asm__("" : "+r"(size), "+r"(weight));
	CONTRACT_ALLOC(address, size, weight);
})
REPORTS(by_the_stack, 320, 320 * 201, {
	volatile struct report report = {.of = {[1] = {.size = 320, .weight = 320 * 201}}};

	CONTRACT_ALLOC(address, report.of[1].size, report.of[1].weight);
})
REPORTS(by_an_indexed_table, 640, 640 * 77, {
	struct report *report = report_on_heap;
	size_t index = report_index;

	CONTRACT_ALLOC(address, report->of[index].size, report->of[index].weight);
})
/* It stands for itself alone; malloc gives it a mapping of its own. */
REPORTS(one_by_one, 1 << 20, 1 << 20, CONTRACT_ALLOC(address, 1 << 20, 1 << 20))

static void (*const reporters[])(void) = {by_constants, by_registers,        by_narrow_types,
					  by_the_stack, by_an_indexed_table, one_by_one};
#define REPORTERS (sizeof(reporters) / sizeof(reporters[0]))

static void report(long count)
{
	while (count-- > 0)
		for (size_t i = 0; i < REPORTERS; i++)
			reporters[i]();
}

static void free_reported(struct reported *block)
{
	if (!block->address)
		return;
	CONTRACT_FREE(block->address);
	contract_unbook(block->site, block->size, block->weight);
	free(block->address);
	block->address = NULL;
}

static void free_half(long unused)
{
	(void)unused;
	for (size_t i = 0; i < reported_count; i += 2)
		free_reported(&reported[i]);
}

static void free_all(long unused)
{
	(void)unused;
	for (size_t i = 0; i < reported_count; i++)
		free_reported(&reported[i]);
	reported_count = 0;
}

/* Several threads at once, each with places of its own in memory; the last few stay. */
#define THREADS       4
#define THREAD_BLOCKS 16

SITE(in_threads);
CALL_SITE static void in_threads(char *address)
{
	CONTRACT_ALLOC(address, 64, 64 * 100);
	contract_book(&in_threads_site, 64, 64 * 100);
}

struct thread {
	pthread_t id;
	long count;
	char blocks[THREAD_BLOCKS];
};

static void *run_thread(void *context)
{
	struct thread *thread = context;

	for (long i = 0; i < thread->count; i++) {
		char *address = &thread->blocks[i % THREAD_BLOCKS];

		if (i >= THREAD_BLOCKS) {
			CONTRACT_FREE(address);
			contract_unbook(&in_threads_site, 64, 64 * 100);
		}
		in_threads(address);
	}
	return NULL;
}

static void report_in_threads(long count)
{
	static struct thread threads[THREADS];

	for (int i = 0; i < THREADS; i++) {
		threads[i].count = count;
		program_require(!pthread_create(&threads[i].id, NULL, run_thread, &threads[i]),
				"a thread");
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i].id, NULL);
}

/* What nobody reports: other allocations, and frees of them. */
static void allocate_unreported(long count)
{
	while (count-- > 0) {
		void *address = malloc(1000);

		program_require(address, "memory");
		free(address);
	}
}

/* A mapping of the program's own. */
SITE(maps);
CALL_SITE static void maps(void)
{
	program_require(mmap(NULL, 1 << 16, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			     0) != MAP_FAILED,
			"a mapping");
	site_allocated(&maps_site, 1 << 16);
}

static void map(long count)
{
	while (count-- > 0)
		maps();
}

/* ---- A real sampler: all allocations are booked, some of them reported */

static double bytes_until_sample;

static double next_distance(void)
{
	return -log((rand() + 1.0) / (RAND_MAX + 1.0)) * INTERVAL_BYTES;
}

static bool is_sampled(size_t bytes)
{
	if (!CONTRACT_IS_WATCHED)
		return false;
	bytes_until_sample -= (double)bytes;
	if (bytes_until_sample > 0)
		return false;
	bytes_until_sample = next_distance();
	return true;
}

static struct drawn {
	struct block block;
	bool is_sampled;
} drawn[BLOCKS_MAX];
static size_t drawn_count;

#define DRAWS(name, bytes_each)                                                                  \
	SITE(name);                                                                              \
	CALL_SITE static void name(void)                                                         \
	{                                                                                        \
		struct drawn *one = &drawn[drawn_count++];                                       \
		void *address = malloc(bytes_each);                                              \
                                                                                                 \
		one->is_sampled = is_sampled(bytes_each);                                        \
		if (one->is_sampled)                                                             \
			CONTRACT_ALLOC(address, (size_t)bytes_each,                              \
				       (uint64_t)llround(bytes_each /                            \
							 -expm1(-bytes_each / INTERVAL_BYTES))); \
		one->block = block_new(&name##_site, address, bytes_each);                       \
	}

DRAWS(small_draws, 64)
DRAWS(middle_draws, 3000)
DRAWS(large_draws, 40000)

static void draw(long count)
{
	srand(1);
	bytes_until_sample = next_distance();
	for (long i = 0; i < count; i++) {
		small_draws();
		small_draws();
		small_draws();
		if (i % 8 == 0)
			middle_draws();
		if (i % 64 == 0)
			large_draws();
	}
}

static void free_drawn(long step)
{
	for (size_t i = 0; i < drawn_count; i += (size_t)step) {
		if (drawn[i].is_sampled && drawn[i].block.address)
			CONTRACT_FREE(drawn[i].block.address);
		block_free(&drawn[i].block);
	}
}

/* ---- Reports that cannot be right */

static void report_absurdly(long unused)
{
	static char block[8];
	static const struct {
		uint64_t address, size, weight;
	} reports[] = {
		{0, 8, 8},                   /* no block */
		{1, 8, 0},                   /* sampled, and standing for nothing */
		{1, 1ULL << 48, 1ULL << 48}, /* more than can be addressed */
		{1, 8, 1ULL << 63},          /* so the weight */
		{1, 8, -1ULL},
		{1, 8, 1ULL << 40},          /* 2^37 blocks of 8 bytes */
		{1, 1ULL << 46, 1ULL << 47}, /* an error of 2^92 */
		{1, 1ULL << 46, 1},          /* the same */
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(reports) / sizeof(reports[0]); i++) {
		uint64_t address = reports[i].address ? (uint64_t)block : 0;
		uint64_t size = reports[i].size, weight = reports[i].weight;

		CONTRACT_ALLOC(address, size, weight);
		ledger_count("invalid_samples", 1);
	}
	/* -5, as wide as an int. */
	int negative = -5;

	CONTRACT_ALLOC(block, 8, negative);
	ledger_count("invalid_samples", 1);
}

/* One block again and again, never freed: the weights' sum would pass 64 bits. */
static void report_endlessly(long count)
{
	static char block[8];
	uint64_t size = 1ULL << 47, weight = 1ULL << 47;

	while (count-- > 0)
		CONTRACT_ALLOC(block, size, weight);
}

/* The same block once more without its free. */
SITE(again);
CALL_SITE static void again(void *address)
{
	CONTRACT_ALLOC(address, 100, 500);
	contract_book(&again_site, 100, 500);
}

static void report_again(long count)
{
	static char blocks[64];

	program_require(count > 0 && (size_t)count <= sizeof(blocks), "some blocks");
	for (int round = 0; round < 2; round++)
		for (long i = 0; i < count; i++)
			again(&blocks[i]);
	for (long i = 0; i < count; i++)
		contract_unbook(&again_site, 100, 500);
	ledger_count("missed_frees", count);
}

static void free_unknown(long count)
{
	static char block[8];

	for (long i = 0; i < count; i++)
		CONTRACT_FREE(block);
	ledger_count("unknown_frees", count);
}

static void clear(long unused)
{
	(void)unused;
	ledger_clear();
}

/* ---- What watching does to the program */

#ifndef WITHOUT_SEMAPHORES
static void semaphores(long unused)
{
	static long alloc_before, free_before;
	long alloc_now = otel_memory_alloc_semaphore, free_now = otel_memory_free_semaphore;

	(void)unused;
	ledger_count("alloc_semaphore", alloc_now - alloc_before);
	ledger_count("free_semaphore", free_now - free_before);
	alloc_before = alloc_now;
	free_before = free_now;
}

/* A child that lives on, with its copies of the semaphores. */
static void fork_and_stay(long unused)
{
	pid_t child = fork();

	(void)unused;
	program_require(child >= 0, "a child");
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	ledger_count("child", child);
	ledger_count("semaphore_address", (long)&otel_memory_alloc_semaphore);
}
#endif

static void fork_and_report(long count)
{
	pid_t child = fork();
	int status;

	program_require(child >= 0, "a child");
	if (child == 0) {
		for (long i = 0; i < count; i++)
			CONTRACT_ALLOC(&count, 8, 8);
		_exit(0);
	}
	program_require(waitpid(child, &status, 0) == child && status == 0,
			"the child reports and ends well");
}

static const char *next_program;

static void become(long unused)
{
	(void)unused;
	program_require(next_program, "a program to become");
	execl(next_program, next_program, (char *)NULL);
	program_require(false, "exec works");
}

int main(int argument_count, char **arguments)
{
	static const struct command commands[] = {
		{"become", become},
		{"give", report},
		{"give_in_threads", report_in_threads},
		{"free_half", free_half},
		{"free_all", free_all},
		{"allocate_unreported", allocate_unreported},
		{"map", map},
		{"draw", draw},
		{"free_drawn", free_drawn},
		{"report_absurdly", report_absurdly},
		{"report_endlessly", report_endlessly},
		{"report_again", report_again},
		{"free_unknown", free_unknown},
		{"clear", clear},
#ifndef WITHOUT_SEMAPHORES
		{"semaphores", semaphores},
		{"fork_and_stay", fork_and_stay},
#endif
		{"fork_and_report", fork_and_report},
		{NULL, NULL},
	};

	next_program = argument_count > 1 ? arguments[1] : NULL;
	return program_serve(commands);
}
