/* SPDX-License-Identifier: Apache-2.0 */
#include "target/calibrate.h"

#include "clock.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define CALLS      10000
#define BLOCK_SIZE 64
/* Nothing of this size is ever sampled at 64 bytes a call within CALLS calls, or hardly. */
#define UNSAMPLED_INTERVAL_BYTES (1ULL << 30)

struct timing {
	double allocation_ns;
	double free_ns;
};

/* ---- In the child: for each byte that arrives, a round of calls and its timing back ---- */

static struct timing run_round(void **blocks)
{
	double before = clock_monotonic_seconds(), between, after;

	for (size_t i = 0; i < CALLS; i++)
		blocks[i] = malloc(BLOCK_SIZE);
	between = clock_monotonic_seconds();
	for (size_t i = 0; i < CALLS; i++)
		free(blocks[i]);
	after = clock_monotonic_seconds();
	return (struct timing){.allocation_ns = (between - before) * 1e9 / CALLS,
			       .free_ns = (after - between) * 1e9 / CALLS};
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

/* The quicker of two rounds: the first one meets cold memory. */
static int child_measure(struct child *child, struct timing *best)
{
	struct timing timing;

	for (int round = 0; round < 2; round++) {
		if (write(child->commands, "r", 1) != 1 ||
		    read(child->answers, &timing, sizeof(timing)) != (ssize_t)sizeof(timing))
			return -EPIPE;
		if (!round || timing.allocation_ns < best->allocation_ns)
			best->allocation_ns = timing.allocation_ns;
		if (!round || timing.free_ns < best->free_ns)
			best->free_ns = timing.free_ns;
	}
	return 0;
}

static int measure_watched(struct target_table *table, struct child *child, uint64_t interval_bytes,
			   struct timing *timing, struct process_error *error)
{
	struct target *target;
	int result = target_watch(table, child->pid, interval_bytes, &target, error);
	struct target_links *orphans;
	struct target_work *work;
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
	result = result ? result : child_measure(child, timing);
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

int probe_costs_calibrate(struct target_table *table, struct probe_costs *costs,
			  struct process_error *error)
{
	struct timing plain, exact, unsampled;
	struct child child = {.pid = -1};
	int result = child_start(&child);

	memset(costs, 0, sizeof(*costs));
	snprintf(error->message, sizeof(error->message), "the measuring child failed");
	result = result ? result : child_measure(&child, &plain);
	result = result ? result
			: measure_watched(table, &child, UNSAMPLED_INTERVAL_BYTES, &unsampled,
					  error);
	result = result ? result : measure_watched(table, &child, 1, &exact, error);
	child_end(&child);
	if (result)
		return result;
	*costs = (struct probe_costs){
		.is_known = true,
		.allocation_exact_ns = added(exact.allocation_ns, plain.allocation_ns),
		.allocation_unsampled_ns = added(unsampled.allocation_ns, plain.allocation_ns),
		.free_exact_ns = added(exact.free_ns, plain.free_ns),
		.free_unknown_ns = added(unsampled.free_ns, plain.free_ns),
	};
	return 0;
}

double probe_costs_share(const struct probe_costs *costs, const struct record_target_hits *hits,
			 bool is_exact, double seconds)
{
	double free_ns = is_exact ? costs->free_exact_ns : costs->free_unknown_ns;
	double followed = (double)hits->returns;
	double skipped = (double)hits->allocations - followed;

	if (!costs->is_known || seconds <= 0)
		return -1;
	if (skipped < 0)
		skipped = 0;
	return (followed * costs->allocation_exact_ns + skipped * costs->allocation_unsampled_ns +
		(double)hits->frees * free_ns) *
	       1e-9 / seconds;
}
