/* SPDX-License-Identifier: Apache-2.0 */
#include "view/status.h"

#include "account/code_reading.h"
#include "clock.h"
#include "procfs.h"
#include "python/code.h"
#include "target/unwinding.h"
#include "view/losses.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>

static uint64_t own_rss_bytes(void)
{
	uint64_t kib = 0;

	procfs_read_number("/proc/self/status", "VmRSS", &kib);
	return kib << 10;
}

static double own_cpu_seconds(void)
{
	struct rusage usage;

	if (getrusage(RUSAGE_SELF, &usage))
		return 0;
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6;
}

/* Blocks of all living accounts, as they were last updated. */
static uint64_t count_blocks(struct state *state)
{
	struct account *account;
	uint64_t blocks = 0;
	size_t cursor = 0;

	while ((account = account_next(state->accounts, &cursor)))
		if (!account->end_reason && account->counters.blocks > 0)
			blocks += (uint64_t)account->counters.blocks;
	return blocks;
}

static uint64_t count_reporting(struct state *state)
{
	struct target *target;
	uint64_t count = 0;
	size_t cursor = 0;

	while ((target = target_next(state->targets, &cursor)))
		count += target->is_contract;
	return count;
}

static int fill_maps(struct state *state, struct answer_status *answer)
{
	const struct probe_limits *limits = probe_object_limits(state->object);

	answer->maps = calloc(2, sizeof(*answer->maps));
	if (!answer->maps)
		return -ENOMEM;
	answer->maps[0] = (struct answer_map){
		.name = "blocks", .used = count_blocks(state), .max = limits->blocks_max};
	answer->maps[1] = (struct answer_map){.name = "sites",
					      .used = probe_object_sites_used(state->object),
					      .max = probe_object_site_count(state->object)};
	answer->map_count = 2;
	return 0;
}

static void fill_backends(const struct state *state, struct answer_status *answer)
{
	const struct probe_backend_choice *choice = &state->backends;

	_Static_assert(ANSWER_BACKENDS_MAX == PROBE_BACKENDS_MAX, "every back end is told of");
	for (size_t i = 0; i < choice->trial_count; i++) {
		const struct probe_backend_trial *trial = &choice->trials[i];

		if (trial->is_tried)
			answer->backends_tried[answer->backend_tried_count++] =
				(struct answer_backend){.name = trial->backend->name,
							.works = trial->works,
							.reason = trial->works ? NULL
									       : trial->reason};
	}
}

static struct answer_naming read_naming(const struct state *state)
{
	struct namer_statistics statistics;

	namer_read_statistics(state->namer, &statistics);
	return (struct answer_naming){
		.waiting_frames = statistics.waiting_frames,
		.named_frames_total = statistics.named_frames,
		.dropped_frames_total = statistics.dropped_frames,
		.pending_frames_total = statistics.pending_frames,
		.cpu_seconds_total = statistics.cpu_seconds,
	};
}

static struct answer_python_codes read_python(const struct state *state)
{
	struct code_reading_statistics statistics;

	code_reading_read_statistics(account_table_code_reading(state->accounts), &statistics);
	return (struct answer_python_codes){
		.bytes = python_code_bytes(),
		.bytes_max = python_code_bytes_max(),
		.read_total = statistics.read_codes,
		.reused_total = statistics.reused_addresses,
		.unreadable_total = statistics.unreadable_codes,
		.dropped_total = statistics.dropped_stacks,
	};
}

static void fill_debuginfod(const struct state *state, struct answer_status *answer)
{
	struct debug_fetcher_counters counters;

	if (!state->fetcher)
		return;
	debug_fetcher_read_counters(state->fetcher, &counters);
	answer->debuginfod = (struct answer_debuginfod){
		.is_configured = true,
		.queued = counters.queued,
		.found_total = counters.found_total,
		.not_found_total = counters.not_found_total,
		.failed_total = counters.failed_total,
		.refused_total = counters.refused_total,
		.dropped_total = counters.dropped_total,
		.received_bytes_total = counters.received_bytes_total,
		.cache_bytes = counters.cache_bytes,
		.cache_bytes_max = counters.cache_bytes_max,
	};
}

int status_fill(struct state *state, struct answer_status *answer)
{
	const struct unwind_statistics *unwind = target_unwind_statistics(state->targets);
	int error;

	state_lock(state);
	*answer = (struct answer_status){
		.version = MEMWATCH_VERSION,
		.start_time_seconds = state->start_time_seconds,
		.uptime_seconds = clock_unix_seconds() - state->start_time_seconds,
		.backend = state->backend ? state->backend->name : NULL,
		.targets = target_count(state->targets),
		.targets_max = target_max(state->targets),
		.targets_reporting = count_reporting(state),
		.cpu_seconds = own_cpu_seconds(),
		.rss_bytes = own_rss_bytes(),
		.bpf_memory_bytes = probe_object_memory_bytes(state->object) + unwind->bytes +
				    unwind->space_bytes,
		.symbol_cache_bytes = module_cache_bytes(state->modules),
		.naming = read_naming(state),
		.python = read_python(state),
		.unwind = {.modules = unwind->modules,
			   .bytes = unwind->bytes,
			   .bytes_max = state->unwind_bytes_max,
			   .builds_total = unwind->builds,
			   .build_seconds_total = unwind->build_seconds,
			   .refused_modules_total = unwind->refused_modules},
		.ended_over_budget_total = state->ended_over_budget_total,
		.intervals_raised_total = state->intervals_raised_total,
		.oom_kills_total = probe_object_host_counters(state->object)->oom_kills,
		.events_total = probe_object_event_count(state->object),
	};
	fill_backends(state, answer);
	fill_debuginfod(state, answer);
	/* Reads every account afresh, which the fill levels then use. */
	answer->losses = losses_of_state(state, &answer->loss_count);
	error = answer->losses ? fill_maps(state, answer) : -ENOMEM;
	pthread_mutex_unlock(&state->lock);
	return error;
}

int view_status(struct state *state, struct answer_status **answer)
{
	struct answer_status *made = calloc(1, sizeof(*made));
	int error = made ? status_fill(state, made) : -ENOMEM;

	if (error && made)
		answer_status_free(made);
	else if (!error)
		*answer = made;
	return error;
}
