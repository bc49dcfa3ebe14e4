/* SPDX-License-Identifier: Apache-2.0 */
#include "view/processes.h"

#include "clock.h"
#include "view/sites.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct thread_faults {
	pid_t pid;
	uint64_t minor_faults, major_faults;
};

struct reading {
	const struct view_viewer *viewer;
	struct answer_processes *answer;
	size_t process_capacity;
	/* Of threads that are not leaders; added up by pid afterwards. */
	struct thread_faults *threads;
	size_t thread_count, thread_capacity;
	double boot_offset_seconds;
	int error;
};

/* Makes room for one more element. */
static int reserve(void **array, size_t count, size_t *capacity, size_t element_bytes)
{
	size_t wanted = *capacity ? *capacity * 2 : 128;
	void *grown;

	if (count < *capacity)
		return 0;
	grown = reallocarray(*array, wanted, element_bytes);
	if (!grown)
		return -ENOMEM;
	*array = grown;
	*capacity = wanted;
	return 0;
}

static void add_leader(struct reading *reading, const struct record_process *record)
{
	struct answer_processes *answer = reading->answer;
	struct answer_process *process;

	reading->error = reserve((void **)&answer->processes, answer->process_count,
				 &reading->process_capacity, sizeof(*answer->processes));
	if (reading->error)
		return;
	process = &answer->processes[answer->process_count++];
	*process = (struct answer_process){
		.pid = (pid_t)record->pid,
		.parent_pid = (pid_t)record->parent_pid,
		.uid = record->uid,
		.threads = record->thread_count,
		.start_time_seconds =
			reading->boot_offset_seconds + (double)record->start_boottime_ns * 1e-9,
		.rss_anon_bytes = record->rss_anon_bytes,
		.rss_file_bytes = record->rss_file_bytes,
		.rss_shmem_bytes = record->rss_shmem_bytes,
		.swap_bytes = record->swap_bytes,
		.peak_rss_bytes = record->peak_rss_bytes,
		.total_vm_bytes = record->total_vm_bytes,
		.minor_faults = record->minor_faults,
		.major_faults = record->major_faults,
	};
	memcpy(process->comm, record->comm, sizeof(process->comm));
	process->comm[sizeof(process->comm) - 1] = '\0';
	process->rss_bytes =
		process->rss_anon_bytes + process->rss_file_bytes + process->rss_shmem_bytes;
	/* The kernel raises its high-water mark only when it unmaps. */
	if (process->peak_rss_bytes < process->rss_bytes)
		process->peak_rss_bytes = process->rss_bytes;
}

static void add_thread(struct reading *reading, const struct record_process *record)
{
	if (!record->minor_faults && !record->major_faults)
		return;
	reading->error = reserve((void **)&reading->threads, reading->thread_count,
				 &reading->thread_capacity, sizeof(*reading->threads));
	if (reading->error)
		return;
	reading->threads[reading->thread_count++] =
		(struct thread_faults){.pid = (pid_t)record->pid,
				       .minor_faults = record->minor_faults,
				       .major_faults = record->major_faults};
}

static void on_record(void *context, const struct record_process *record)
{
	struct reading *reading = context;

	if (reading->error)
		return;
	if (record->thread != record->pid)
		add_thread(reading, record);
	else if (record->total_vm_bytes && viewer_sees(reading->viewer, record->uid))
		add_leader(reading, record);
}

static int compare_pid(const void *a, const void *b)
{
	const struct answer_process *left = a, *right = b;

	return (left->pid > right->pid) - (left->pid < right->pid);
}

static int compare_rss(const void *a, const void *b)
{
	const struct answer_process *left = a, *right = b;

	return (left->rss_bytes < right->rss_bytes) - (left->rss_bytes > right->rss_bytes);
}

static struct answer_process *find_process(struct answer_processes *answer, pid_t pid)
{
	struct answer_process key = {.pid = pid};

	return bsearch(&key, answer->processes, answer->process_count, sizeof(key), compare_pid);
}

static void mark_targets(struct state *state, struct answer_processes *answer)
{
	struct answer_process *process;
	struct target *target;
	size_t cursor = 0;

	state_lock(state);
	while ((target = target_next(state->targets, &cursor))) {
		process = find_process(answer, target->identity.pid);
		if (process)
			process->is_target = true;
	}
	pthread_mutex_unlock(&state->lock);
}

static void finish(struct state *state, struct reading *reading)
{
	struct answer_processes *answer = reading->answer;

	/* qsort's pointer must not be NULL */
	if (!answer->process_count)
		return;
	qsort(answer->processes, answer->process_count, sizeof(*answer->processes), compare_pid);
	for (size_t i = 0; i < reading->thread_count; i++) {
		struct answer_process *process = find_process(answer, reading->threads[i].pid);

		if (!process)
			continue;
		process->minor_faults += reading->threads[i].minor_faults;
		process->major_faults += reading->threads[i].major_faults;
	}
	mark_targets(state, answer);
	qsort(answer->processes, answer->process_count, sizeof(*answer->processes), compare_rss);
	answer->processes_total = answer->process_count;
	for (size_t i = 0; i < answer->process_count; i++) {
		answer->rss_bytes += answer->processes[i].rss_bytes;
		answer->minor_faults += answer->processes[i].minor_faults;
		answer->major_faults += answer->processes[i].major_faults;
	}
}

int processes_read(struct state *state, const struct view_viewer *viewer,
		   struct answer_processes **answer)
{
	struct reading reading = {.viewer = viewer,
				  .boot_offset_seconds = clock_boot_offset_seconds()};
	int error;

	reading.answer = calloc(1, sizeof(*reading.answer));
	if (!reading.answer)
		return -ENOMEM;
	error = probe_object_read_processes(state->object, on_record, &reading);
	error = error ? error : reading.error;
	if (!error)
		finish(state, &reading);
	free(reading.threads);
	if (error)
		answer_processes_free(reading.answer);
	else
		*answer = reading.answer;
	return error;
}

/* Keeps the one process alone. */
static int keep_only(struct answer_processes *answer, pid_t pid)
{
	for (size_t i = 0; i < answer->process_count; i++) {
		if (answer->processes[i].pid != pid)
			continue;
		answer->processes[0] = answer->processes[i];
		answer->process_count = 1;
		return 0;
	}
	return -ESRCH;
}

int view_processes(struct state *state, const struct view_viewer *viewer, pid_t pid, size_t top,
		   struct answer_processes **answer)
{
	struct process_identity identity;
	struct answer_processes *made;
	int error = 0;

	if (pid) {
		error = process_identify(pid, &identity);
		if (!error && !viewer_sees(viewer, identity.uid))
			error = -EPERM;
	}
	error = error ? error : processes_read(state, viewer, &made);
	if (error)
		return error;
	if (pid)
		error = keep_only(made, pid);
	else if (top && top < made->process_count)
		made->process_count = top;
	if (error) {
		answer_processes_free(made);
		return error;
	}
	/* Of those that are shown alone: it takes a file of each. */
	for (size_t i = 0; i < made->process_count; i++)
		made->processes[i].namespace_pid = process_namespace_pid(made->processes[i].pid);
	*answer = made;
	return 0;
}
