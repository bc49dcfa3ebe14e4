/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counts in restartable sequences (rseq(2)), which the kernel aborts when it takes the CPU away or
 * delivers a signal amid one: load, do something else, store. A sequence that is cut without being
 * aborted loses counts. Between them the threads allocate. glibc registers the threads.
 */
#include "program.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/rseq.h>
#include <sys/time.h>

#define THREADS    4
#define CPUS_MAX   1024
#define ABORTS_MIN 20

SITE(sequence_thread_allocates);

struct cpu_counter {
	uint64_t value;
	uint64_t padding[7];
};

static struct cpu_counter counters[CPUS_MAX];
static atomic_ulong increments, aborts;
static atomic_long rounds_left;

static volatile struct rseq *rseq_area(void)
{
	return (struct rseq *)((char *)__builtin_thread_pointer() + __rseq_offset);
}

/*
 * Adds one to the counter of the CPU that we are on. False when the sequence was aborted. The word
 * before the abort address is the signature that glibc has registered.
 */
static bool count_on_cpu(void)
{
	volatile struct rseq *area = rseq_area();
	uint32_t cpu = area->cpu_id_start;
	uint64_t *counter = &counters[cpu].value;

	__asm__ goto(".pushsection __rseq_cs, \"aw\"\n\t"
		     ".balign 32\n\t"
		     "3: .long 0, 0\n\t"
		     ".quad 1f, 2f - 1f, 4f\n\t"
		     ".popsection\n\t"
		     "leaq 3b(%%rip), %%rax\n\t"
		     "movq %%rax, %[sequence]\n\t"
		     "1: cmpl %[cpu], %[current_cpu]\n\t"
		     "jnz 4f\n\t"
		     "movq (%[counter]), %%rax\n\t"
		     "movl $100, %%ecx\n\t"
		     "5: pause\n\t"
		     "decl %%ecx\n\t"
		     "jnz 5b\n\t"
		     "incq %%rax\n\t"
		     "movq %%rax, (%[counter])\n\t"
		     "2:\n\t"
		     ".pushsection __rseq_failure, \"ax\"\n\t"
		     ".byte 0x0f, 0xb9, 0x3d\n\t"
		     ".long %c[signature]\n\t"
		     "4: jmp %l[aborted]\n\t"
		     ".popsection\n\t"
		     :
		     : [cpu] "r"(cpu), [counter] "r"(counter), [current_cpu] "m"(area->cpu_id),
		       [sequence] "m"(area->rseq_cs), [signature] "i"(RSEQ_SIG)
		     : "memory", "cc", "rax", "rcx"
		     : aborted);
	return true;
aborted:
	return false;
}

CALL_SITE static struct block sequence_thread_allocates(void)
{
	return block_new(&sequence_thread_allocates_site, malloc(150), 150);
}

static void *work(void *unused)
{
	while (atomic_fetch_sub(&rounds_left, 1) > 0 || aborts < ABORTS_MIN) {
		struct block block = sequence_thread_allocates();

		while (!count_on_cpu())
			aborts++;
		increments++;
		if (increments % 8)
			block_free(&block);
	}
	return unused;
}

static void on_alarm(int signal)
{
	(void)signal;
}

/* Signals abort sequences as well, wherever the scheduler is lenient. */
static void set_alarms(long microseconds)
{
	struct itimerval timer = {.it_interval.tv_usec = microseconds,
				  .it_value.tv_usec = microseconds};

	signal(SIGALRM, on_alarm);
	setitimer(ITIMER_REAL, &timer, NULL);
}

static void run(long rounds)
{
	pthread_t threads[THREADS];
	uint64_t counted = 0;
	size_t i;

	rounds_left = rounds;
	set_alarms(500);
	for (i = 0; i < THREADS; i++)
		program_require(!pthread_create(&threads[i], NULL, work, NULL), "a thread");
	for (i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	set_alarms(0);
	for (i = 0; i < CPUS_MAX; i++)
		counted += counters[i].value;
	program_require(counted == increments, "no count is lost");
}

int main(void)
{
	static const struct command commands[] = {
		{"run", run},
		{NULL, NULL},
	};

	program_require(__rseq_size > 0, "glibc has registered the thread for rseq");
	return program_serve(commands);
}
