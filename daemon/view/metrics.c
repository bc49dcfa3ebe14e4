/* SPDX-License-Identifier: Apache-2.0 */
/* One scrape: the daemon, the host, the largest processes and every target. */
#include "procfs.h"
#include "view/processes.h"
#include "view/status.h"
#include "view/targets.h"

#include <errno.h>
#include <stdlib.h>

/* 0 when the kernel doesn't say. */
static uint64_t read_number(const char *path, const char *name)
{
	uint64_t number = 0;

	procfs_read_number(path, name, &number);
	return number;
}

static void fill_host(const struct answer_processes *processes, struct answer_metrics *answer)
{
	uint64_t faults = read_number("/proc/vmstat", "pgfault");

	answer->host_major_faults_total = read_number("/proc/vmstat", "pgmajfault");
	/* pgfault counts both kinds; the two lines are not read at one instant */
	if (faults > answer->host_major_faults_total)
		answer->host_minor_faults_total = faults - answer->host_major_faults_total;
	answer->host_memory_total_bytes = read_number("/proc/meminfo", "MemTotal") << 10;
	answer->host_memory_available_bytes = read_number("/proc/meminfo", "MemAvailable") << 10;
	answer->host_rss_bytes = processes->rss_bytes;
	answer->host_processes = processes->process_count;
}

/* Bounds the series: the largest few, and the targets wherever they stand. */
static void keep_measured(struct answer_processes *processes, size_t kept_max)
{
	size_t kept = 0;

	for (size_t i = 0; i < processes->process_count; i++)
		if (i < kept_max || processes->processes[i].is_target)
			processes->processes[kept++] = processes->processes[i];
	processes->process_count = kept;
}

int view_metrics(struct state *state, struct answer_metrics **answer)
{
	const struct view_viewer everybody = {.sees_all = true};
	struct answer_metrics *made = calloc(1, sizeof(*made));
	struct answer_processes *processes = NULL;
	int error;

	if (!made)
		return -ENOMEM;
	error = processes_read(state, &everybody, &processes);
	error = error ? error : status_fill(state, &made->status);
	if (!error) {
		state_lock(state);
		error = targets_list(state, &everybody, false, &made->targets);
		pthread_mutex_unlock(&state->lock);
	}
	if (error) {
		answer_processes_free(processes);
		answer_metrics_free(made);
		return error;
	}
	fill_host(processes, made);
	keep_measured(processes, state->metrics_processes_max);
	made->processes = *processes;
	free(processes); /* what it points to has moved */
	*answer = made;
	return 0;
}
