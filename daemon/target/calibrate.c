/* SPDX-License-Identifier: Apache-2.0 */
#include "target/calibrate.h"

#include "clock.h"
#include "target/table.h"

#include <errno.h>
#include <link.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * Rounds are short and many, and timed by the CPU time of the child: the fastest of them is one
 * that nothing else has disturbed, however busy the machine is.
 */
#define CALLS         500
#define STEPPED_CALLS 25
#define ROUNDS        15
/* A neighbour of a virtual machine disturbs for longer than that: again, a while later. */
#define PASSES     3
#define BLOCK_SIZE 64
/* Nothing of this size is ever sampled at 64 bytes a call within CALLS calls, or hardly. */
#define UNSAMPLED_INTERVAL_BYTES (1ULL << 30)

struct timing {
	double allocation_ns;
	double free_ns;
	double pair_ns;    /* both in turn, always the same block */
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

static struct timing run_round(void **blocks)
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
			       .stepped_ns = (end - paired) * 1e9 / STEPPED_CALLS};
}

static void child_main(int commands, int answers)
{
	void **blocks = calloc(CALLS, sizeof(*blocks));
	struct timing timing;
	char command;

	/* The parent's end by whatever means ends us too. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (!blocks)
		_exit(1);
	while (read(commands, &command, 1) == 1) {
		timing = run_round(blocks);
		if (write(answers, &timing, sizeof(timing)) != (ssize_t)sizeof(timing))
			_exit(1);
	}
	_exit(0);
}

/* ---- In the daemon ---- */

struct child {
	pid_t pid;
	int commands, answers;
};

static int child_start(struct child *child)
{
	int down[2], up[2];

	if (pipe(down))
		return -errno;
	if (pipe(up)) {
		close(down[0]);
		close(down[1]);
		return -errno;
	}
	child->pid = fork();
	if (child->pid == 0) {
		close(down[1]);
		close(up[0]);
		child_main(down[0], up[1]);
	}
	close(down[0]);
	close(up[1]);
	child->commands = down[1];
	child->answers = up[0];
	return child->pid < 0 ? -errno : 0;
}

static void child_end(struct child *child)
{
	close(child->commands);
	close(child->answers);
	if (child->pid > 0) {
		kill(child->pid, SIGKILL);
		waitpid(child->pid, NULL, 0);
	}
}

/* Lowers what was measured best before. */
static int child_measure(struct child *child, struct timing *best)
{
	struct timing timing;

	for (int round = 0; round < ROUNDS; round++) {
		if (write(child->commands, "r", 1) != 1 ||
		    read(child->answers, &timing, sizeof(timing)) != (ssize_t)sizeof(timing))
			return -EPIPE;
		best->allocation_ns = fmin(best->allocation_ns, timing.allocation_ns);
		best->free_ns = fmin(best->free_ns, timing.free_ns);
		best->pair_ns = fmin(best->pair_ns, timing.pair_ns);
		best->stepped_ns = fmin(best->stepped_ns, timing.stepped_ns);
	}
	return 0;
}

static int find_file_offset(struct dl_phdr_info *program, size_t size, void *offset)
{
	uintptr_t wanted = (uintptr_t)calibrate_stepped_function - program->dlpi_addr;

	(void)size;
	for (int i = 0; i < program->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &program->dlpi_phdr[i];

		if (segment->p_type == PT_LOAD && wanted - segment->p_vaddr < segment->p_filesz)
			*(uint64_t *)offset = wanted - segment->p_vaddr + segment->p_offset;
	}
	return 1; /* the first object is the program itself */
}

/* Probes that function of the child as if it were free. */
static int attach_stepped(struct target_table *table, const struct target *target,
			  struct probe_link **link)
{
	struct probe_point point = {
		.cookie = RECORD_COOKIE(RECORD_OPERATION_FREE, RECORD_ARGUMENT_NONE,
					RECORD_ARGUMENT_NONE, 0, RECORD_ARGUMENT_NONE, 0) |
			  (uint64_t)target->slot << RECORD_COOKIE_SLOT_SHIFT};

	dl_iterate_phdr(find_file_offset, &point.file_offset);
	return table->backend->attach(table->object, target->identity.pid, "/proc/self/exe", &point,
				      1, link);
}

static int measure_watched(struct target_table *table, struct child *child, uint64_t interval_bytes,
			   struct timing *timing, struct process_error *error)
{
	struct target *target;
	int result = target_watch(table, child->pid, interval_bytes, &target, error);
	struct target_links *orphans;
	struct target_work *work;
	struct probe_link *link = NULL;
	uint32_t account;

	if (result)
		return result;
	account = target->account;
	work = target_work_take(table, target);
	if (work) {
		target_work_run(work);
		target_work_done(table, work);
	}
	result = target_check_watched(target, error);
	result = result ? result : attach_stepped(table, target, &link);
	result = result ? result : child_measure(child, timing);
	if (link)
		table->backend->detach(link);
	target_unwatch(table, target);
	orphans = target_orphans_take(table);
	target_orphans_detach(orphans);
	target_orphans_free(table, orphans);
	probe_object_purge(target_table_object(table), &account, 1);
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
	const struct timing none = {INFINITY, INFINITY, INFINITY, INFINITY};
	struct timing plain = none, exact = none, unsampled = none;
	struct child child = {.pid = -1};
	int result = child_start(&child);

	memset(costs, 0, sizeof(*costs));
	snprintf(error->message, sizeof(error->message), "the measuring child failed");
	for (int pass = 0; pass < PASSES; pass++) {
		result = result ? result : child_measure(&child, &plain);
		result = result ? result
				: measure_watched(table, &child, UNSAMPLED_INTERVAL_BYTES,
						  &unsampled, error);
		result = result ? result : measure_watched(table, &child, 1, &exact, error);
	}
	child_end(&child);
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
		.single_step_ns = added(unsampled.stepped_ns, unsampled.free_ns),
	};
	return 0;
}
