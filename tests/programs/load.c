/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Allocates and frees as fast as it can, or at a rate, in a thread of its own, and counts; plants a
 * leak among them; or fills the tables with blocks and stacks.
 */
#include "program.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#define PAIR_BYTES  64
#define LEAK_BYTES  4096
#define BLOCK_BYTES 48
/* Pairs between two looks at the clock, and between two leaked blocks. */
#define BATCH        1000
#define TICK_NS      1000000L
#define TICKS        1000 /* a second */
#define IDLE_THREADS 63

SITE(planted_leak);
SITE(keeps);

static pthread_t worker;
static atomic_bool is_stopping;
static atomic_llong pairs;
static long pairs_per_second; /* 0: as fast as it can */
static long long pairs_counted;

CALL_SITE static void allocates_and_frees(long count)
{
	while (count--)
		free(malloc(PAIR_BYTES));
}

CALL_SITE static void planted_leak(void)
{
	block_new(&planted_leak_site, malloc(LEAK_BYTES), LEAK_BYTES);
}

CALL_SITE static void keeps(void)
{
	block_new(&keeps_site, malloc(BLOCK_BYTES), BLOCK_BYTES);
}

static void pause_until(struct timespec *due)
{
	due->tv_nsec += TICK_NS;
	if (due->tv_nsec >= 1000000000L) {
		due->tv_nsec -= 1000000000L;
		due->tv_sec++;
	}
	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, due, NULL);
}

static void *work(void *unused)
{
	struct timespec due;
	long batch = pairs_per_second ? pairs_per_second / TICKS : BATCH;
	long until_leak = BATCH;

	(void)unused;
	clock_gettime(CLOCK_MONOTONIC, &due);
	while (!is_stopping) {
		allocates_and_frees(batch);
		pairs += batch;
		if (!pairs_per_second)
			continue;
		until_leak -= batch;
		if (until_leak <= 0) {
			planted_leak();
			until_leak += BATCH;
		}
		pause_until(&due);
	}
	return NULL;
}

static void start(void)
{
	is_stopping = false;
	program_require(!pthread_create(&worker, NULL, work, NULL), "a thread");
}

static void hammer(long unused)
{
	(void)unused;
	pairs_per_second = 0;
	start();
}

static void pace(long a_second)
{
	pairs_per_second = a_second;
	start();
}

static void count(long unused)
{
	long long now = pairs;

	(void)unused;
	ledger_count("pairs", now - pairs_counted);
	pairs_counted = now;
}

static void stop(long unused)
{
	is_stopping = true;
	pthread_join(worker, NULL);
	count(unused);
}

static void *sleep_for_ever(void *unused)
{
	(void)unused;
	for (;;)
		nanosleep(&(struct timespec){3600, 0}, NULL);
	return NULL;
}

/* Threads that do nothing. */
static void idle(long unused)
{
	pthread_t thread;

	(void)unused;
	for (int i = 0; i < IDLE_THREADS; i++)
		program_require(!pthread_create(&thread, NULL, sleep_for_ever, NULL), "a thread");
}

static void keep(long blocks)
{
	while (blocks--)
		keeps();
}

#define SPREAD_BITS 10

/* A stack of its own for each number: the way down branches at every bit. */
CALL_SITE static void spreads(long number, int bits);

CALL_SITE static void spreads_left(long number, int bits)
{
	spreads(number, bits);
}

CALL_SITE static void spreads_right(long number, int bits)
{
	spreads(number, bits);
}

CALL_SITE static void spreads(long number, int bits)
{
	if (!bits)
		keeps();
	else if (number >> (bits - 1) & 1)
		spreads_left(number, bits - 1);
	else
		spreads_right(number, bits - 1);
}

static void spread(long stacks)
{
	while (stacks--)
		spreads(stacks, SPREAD_BITS);
}

int main(void)
{
	static const struct command commands[] = {
		{"hammer", hammer}, {"pace", pace}, {"count", count}, {"stop", stop},
		{"spread", spread}, {"idle", idle}, {"keep", keep},   {NULL, NULL},
	};

	return program_serve(commands);
}
