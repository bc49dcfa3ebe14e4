/* SPDX-License-Identifier: Apache-2.0 */
#include "target/calibrate.h"

#include "clock.h"
#include "probe/child.h"
#include "target/table.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/*
 * Rounds are short and many, and timed by the CPU time of the child: the fastest of them is one
 * that nothing else has disturbed, however busy the machine is.
 */
#define CALLS         500
#define STEPPED_CALLS 25
#define ROUNDS        15
/* A neighbour of a virtual machine disturbs for longer than that: again, a while later. */
#define PASSES 3
/* Unless attaching is slow: nobody waits longer for the daemon's start. */
#define PASSES_SECONDS_MAX 3.0
#define BLOCK_SIZE         64
/* Nothing of this size is ever sampled at 64 bytes a call within CALLS calls, or hardly. */
#define UNSAMPLED_INTERVAL_BYTES (1ULL << 30)

struct timing {
	double allocation_ns;
	double free_ns;
	double pair_ns;    /* both in turn, always the same block */
	double touch_ns;   /* a page that isn't there yet */
	double stepped_ns; /* a function whose first instruction cannot be emulated */
};

/*
 * Begins with an instruction that the kernel single-steps out of line when a probe is on it, as the
 * free of some allocators does; called like free.
 */
void calibrate_stepped_function(const void *address) __attribute__((visibility("hidden")));
#ifdef __x86_64__
__asm__(".pushsection .text\n"
	".type calibrate_stepped_function, @function\n"
	".hidden calibrate_stepped_function\n"
	".globl calibrate_stepped_function\n"
	"calibrate_stepped_function:\n"
	"	test %rdi, %rdi\n"
	"	ret\n"
	".size calibrate_stepped_function, . - calibrate_stepped_function\n"
	".popsection\n");
#else
#error "where probes are emulated is known of x86-64 alone (see probe/probe_address.h)"
#endif

/* ---- In the child: for each byte that arrives, a round of calls and its timing back ---- */

static double own_cpu_seconds(void)
{
	return clock_read_seconds(CLOCK_THREAD_CPUTIME_ID);
}

static double touch_pages_ns(char *pages, size_t page_bytes)
{
	double before = own_cpu_seconds(), after;

	for (size_t i = 0; i < CALLS; i++)
		pages[i * page_bytes] = 1;
	after = own_cpu_seconds();
	madvise(pages, CALLS * page_bytes, MADV_DONTNEED);
	return (after - before) * 1e9 / CALLS;
}

static struct timing run_round(void **blocks, char *pages, size_t page_bytes)
{
	double before = own_cpu_seconds(), between, after, paired, end;

	for (size_t i = 0; i < CALLS; i++)
		blocks[i] = malloc(BLOCK_SIZE);
	between = own_cpu_seconds();
	for (size_t i = 0; i < CALLS; i++)
		free(blocks[i]);
	after = own_cpu_seconds();
	for (size_t i = 0; i < CALLS; i++) {
		blocks[0] = malloc(BLOCK_SIZE);
		free(blocks[0]);
	}
	paired = own_cpu_seconds();
	for (size_t i = 0; i < STEPPED_CALLS; i++)
		calibrate_stepped_function(blocks);
	end = own_cpu_seconds();
	return (struct timing){.allocation_ns = (between - before) * 1e9 / CALLS,
			       .free_ns = (after - between) * 1e9 / CALLS,
			       .pair_ns = (paired - after) * 1e9 / CALLS,
			       .touch_ns = touch_pages_ns(pages, page_bytes),
			       .stepped_ns = (end - paired) * 1e9 / STEPPED_CALLS};
}

static void child_main(int commands, int answers)
{
	void **blocks = calloc(CALLS, sizeof(*blocks));
	size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE);
	char *pages = mmap(NULL, CALLS * page_bytes, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct timing timing;
	char command;

	if (!blocks || pages == MAP_FAILED)
		_exit(1);
	madvise(pages, CALLS * page_bytes, MADV_NOHUGEPAGE);
	while (read(commands, &command, 1) == 1) {
		timing = run_round(blocks, pages, page_bytes);
		if (write(answers, &timing, sizeof(timing)) != (ssize_t)sizeof(timing))
			_exit(1);
	}
	_exit(0);
}

/* ---- In the daemon ---- */

/* Lowers what was measured best before. */
static int child_measure(struct probe_child *child, struct timing *best)
{
	struct timing timing;

	for (int round = 0; round < ROUNDS; round++) {
		if (write(child->commands, "r", 1) != 1 ||
		    read(child->answers, &timing, sizeof(timing)) != (ssize_t)sizeof(timing))
			return -EPIPE;
		best->allocation_ns = fmin(best->allocation_ns, timing.allocation_ns);
		best->free_ns = fmin(best->free_ns, timing.free_ns);
		best->pair_ns = fmin(best->pair_ns, timing.pair_ns);
		best->touch_ns = fmin(best->touch_ns, timing.touch_ns);
		best->stepped_ns = fmin(best->stepped_ns, timing.stepped_ns);
	}
	return 0;
}

/* Probes that function of the child as if it were free. */
static int attach_stepped(struct target_table *table, const struct target *target,
			  struct probe_link **link)
{
	struct probe_point point = {
		.file_offset = probe_child_file_offset((uintptr_t)calibrate_stepped_function),
		.cookie = RECORD_COOKIE(RECORD_OPERATION_FREE, RECORD_ARGUMENT_NONE,
					RECORD_ARGUMENT_NONE, 0, RECORD_ARGUMENT_NONE, 0) |
			  target->cookie};

	return table->backend->attach(probe_object_programs(table->object), target->identity.pid,
				      "/proc/self/exe", &point, 1, link);
}

static int measure_watched(struct target_table *table, struct probe_child *child,
			   uint64_t interval_bytes, struct timing *timing,
			   struct process_error *error)
{
	struct target *target;
	int result = target_watch(table, child->pid, interval_bytes, &target, error);
	struct probe_link *link = NULL;

	if (result)
		return result;
	target_attach_now(table, target);
	result = target_check_watched(target, error);
	result = result ? result : attach_stepped(table, target, &link);
	result = result ? result : child_measure(child, timing);
	if (link)
		table->backend->detach(link);
	target_unwatch_now(table, target);
	return result;
}

/* Each in a child of its own: perf's probes of the watch before may still be in the last one. */
static int measure(struct target_table *table, uint64_t interval_bytes, struct timing *plain,
		   struct timing *watched, struct process_error *error)
{
	struct probe_child child;
	int result = probe_child_start(&child, child_main);

	if (result)
		return result;
	result = child_measure(&child, plain);
	result = result ? result : measure_watched(table, &child, interval_bytes, watched, error);
	probe_child_end(&child);
	return result;
}

static double added(double watched_ns, double plain_ns)
{
	return watched_ns > plain_ns ? watched_ns - plain_ns : 0;
}

/*
 * What the probes add. Blocks one after the other miss the caches, by our own probes' doing too; of
 * a program that is busy with few blocks that is not true, and it must not be stopped for it. So
 * both parts are those of the pair, in the proportion that they have alone.
 */
static struct timing added_by_probes(const struct timing *watched, const struct timing *plain)
{
	struct timing more = {.allocation_ns = added(watched->allocation_ns, plain->allocation_ns),
			      .free_ns = added(watched->free_ns, plain->free_ns),
			      .pair_ns = added(watched->pair_ns, plain->pair_ns),
			      .touch_ns = added(watched->touch_ns, plain->touch_ns),
			      .stepped_ns = added(watched->stepped_ns, plain->stepped_ns)};
	double apart_ns = more.allocation_ns + more.free_ns;

	if (more.pair_ns < apart_ns) {
		more.allocation_ns *= more.pair_ns / apart_ns;
		more.free_ns *= more.pair_ns / apart_ns;
	}
	return more;
}

int probe_costs_calibrate(struct target_table *table, struct probe_costs *costs,
			  struct process_error *error)
{
	const struct timing none = {INFINITY, INFINITY, INFINITY, INFINITY, INFINITY};
	struct timing plain = none, exact = none, unsampled = none;
	double began = clock_monotonic_seconds();
	int result = 0;

	memset(costs, 0, sizeof(*costs));
	snprintf(error->message, sizeof(error->message), "the measuring child failed");
	for (int pass = 0; pass < PASSES && !result; pass++) {
		if (pass && clock_monotonic_seconds() - began >= PASSES_SECONDS_MAX)
			break;
		result = measure(table, UNSAMPLED_INTERVAL_BYTES, &plain, &unsampled, error);
		result = result ? result : measure(table, 1, &plain, &exact, error);
	}
	if (result)
		return result;
	exact = added_by_probes(&exact, &plain);
	unsampled = added_by_probes(&unsampled, &plain);
	*costs = (struct probe_costs){
		.is_known = true,
		.allocation_exact_ns = exact.allocation_ns,
		.allocation_unsampled_ns = unsampled.allocation_ns,
		.free_exact_ns = exact.free_ns,
		.free_unknown_ns = unsampled.free_ns,
		/* What is left is what the step costs: the probe itself is that of free. */
		.rss_change_ns = unsampled.touch_ns,
		.single_step_ns = added(unsampled.stepped_ns, unsampled.free_ns),
	};
	return 0;
}
