/* SPDX-License-Identifier: Apache-2.0 */
/* Tries an attach back end: a child of our own with threads calls a function that is probed. */
#include "probe/backend.h"

#include "probe/child.h"
#include "probe/load_log.h"
#include "probe/programs.h"
#include "trial.skel.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* More than one, so that a probe that works but once is found out. */
#define CALLS 3
/* Far more than the child needs, also on an emulated machine. */
#define ANSWER_MS 10000

/* What is probed. Returns its argument, so that entry and return both know who called. */
__attribute__((noinline)) static uint64_t trial_function(uint64_t caller)
{
	__asm__ volatile("" : "+r"(caller));
	return caller;
}

static void call_often(enum record_trial_caller caller)
{
	for (int i = 0; i < CALLS; i++)
		trial_function(caller);
}

/* ---- The child ---- */

static sem_t early_may_go;

static void *early_thread(void *unused)
{
	sem_wait(&early_may_go);
	call_often(RECORD_TRIAL_EARLY_THREAD);
	return unused;
}

static void *late_thread(void *unused)
{
	call_often(RECORD_TRIAL_LATE_THREAD);
	return unused;
}

/* Says when its first threads are there, and after each command that it has done it. */
static void child_main(int commands, int answers)
{
	pthread_t early, late;
	char word = 'r';

	if (sem_init(&early_may_go, 0, 0) || pthread_create(&early, NULL, early_thread, NULL) ||
	    write(answers, &word, 1) != 1 || read(commands, &word, 1) != 1)
		_exit(1);
	call_often(RECORD_TRIAL_MAIN_THREAD);
	call_often(RECORD_TRIAL_SKIPS_RETURN);
	sem_post(&early_may_go);
	pthread_join(early, NULL);
	if (pthread_create(&late, NULL, late_thread, NULL))
		_exit(1);
	pthread_join(late, NULL);
	_exit(write(answers, &word, 1) != 1);
}

/* ---- In the daemon ---- */

static bool child_runs(const struct probe_child *child)
{
	return write(child->commands, "g", 1) == 1 && probe_child_answers(child, ANSWER_MS);
}

/* ---- The trial ---- */

struct trial {
	const struct probe_backend *backend;
	struct trial_bpf *skeleton;
	struct probe_programs programs;
	char *reason;
	size_t reason_size;
};

__attribute__((format(printf, 2, 3))) static bool refuse(const struct trial *trial,
							 const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(trial->reason, trial->reason_size, format, arguments);
	va_end(arguments);
	return false;
}

static bool load(struct trial *trial)
{
	struct probe_program_table table;
	int error;

	trial->skeleton = trial_bpf__open();
	if (!trial->skeleton)
		return refuse(trial, "its trial cannot be prepared: %s", strerror(errno));
	table = (struct probe_program_table){{
		[PROBE_PROGRAM_SESSION] = trial->skeleton->progs.trial_session,
		[PROBE_PROGRAM_ENTRY] = trial->skeleton->progs.trial_entry,
		[PROBE_PROGRAM_RETURN] = trial->skeleton->progs.trial_return,
		[PROBE_PROGRAM_SWEEP] = trial->skeleton->progs.trial_sweep,
	}};
	probe_programs_configure(&table, trial->backend);
	error = trial_bpf__load(trial->skeleton);
	if (error)
		return refuse(trial, "the kernel refuses its programs: %s", strerror(-error));
	probe_programs_note(&table, &trial->programs);
	return true;
}

static unsigned char first_byte(void)
{
	return *(volatile unsigned char *)(uintptr_t)trial_function;
}

/* Has the child call the probed function. */
static bool run(const struct trial *trial, const struct probe_child *child)
{
	struct probe_point point = {
		.file_offset = probe_child_file_offset((uintptr_t)trial_function),
		.cookie = (uintptr_t)trial_function,
		.needs_return = true,
	};
	unsigned char unprobed = first_byte();
	struct probe_link *link;
	bool has_run, is_probed;
	int error;

	error = trial->backend->attach(&trial->programs, child->pid, "/proc/self/exe", &point, 1,
				       &link);
	if (error)
		return refuse(trial, "attaching fails: %s", strerror(-error));
	is_probed = first_byte() != unprobed;
	call_often(RECORD_TRIAL_STRANGER);
	has_run = child_runs(child);
	trial->backend->detach(link);
	if (is_probed)
		return refuse(trial, "processes that aren't watched get probes as well");
	if (!has_run)
		return refuse(trial, "a probed process didn't survive its trial");
	return true;
}

static uint64_t read_hits(const struct trial *trial, uint32_t place)
{
	uint64_t hits = 0;

	bpf_map_lookup_elem(bpf_map__fd(trial->skeleton->maps.trial_hits), &place, &hits);
	return hits;
}

static bool judge(const struct trial *trial)
{
	bool skips_returns = trial->programs.fd[PROBE_PROGRAM_SESSION] >= 0;
	uint64_t entries[RECORD_TRIAL_CALLERS], returns[RECORD_TRIAL_CALLERS];

	for (uint32_t i = 0; i < RECORD_TRIAL_CALLERS; i++) {
		entries[i] = read_hits(trial, i);
		returns[i] = read_hits(trial, RECORD_TRIAL_CALLERS + i);
	}
	if (entries[RECORD_TRIAL_STRANGER] || returns[RECORD_TRIAL_STRANGER])
		return refuse(trial, "calls of other processes are taken for the watched one's");
	if (entries[RECORD_TRIAL_MAIN_THREAD] != CALLS)
		return refuse(trial, "calls of a probed function are lost");
	if (entries[RECORD_TRIAL_EARLY_THREAD] != CALLS ||
	    entries[RECORD_TRIAL_LATE_THREAD] != CALLS)
		return refuse(trial, "calls of all threads but the first are lost");
	for (uint32_t i = 0; i < RECORD_TRIAL_SKIPS_RETURN; i++)
		if (returns[i] != CALLS)
			return refuse(trial, "returns from a probed function are lost");
	if (returns[RECORD_TRIAL_SKIPS_RETURN] != (skips_returns ? 0 : CALLS))
		return refuse(trial, "what a program says of the return is not heeded");
	return true;
}

static bool run_child(const struct trial *trial, struct probe_child *child)
{
	bool starts = probe_child_answers(child, ANSWER_MS);
	bool works = starts && run(trial, child) && judge(trial);

	if (!starts)
		refuse(trial, "the child for its trial doesn't start");
	probe_child_end(child);
	return works;
}

bool probe_backend_try(const struct probe_backend *backend, char *reason, size_t size)
{
	struct trial trial = {.backend = backend, .reason = reason, .reason_size = size};
	struct probe_child child;
	bool works = false;

	load_log_start();
	reason[0] = '\0';
	if (load(&trial)) {
		int error = probe_child_start(&child, child_main);

		if (error)
			refuse(&trial, "a child for its trial cannot be had: %s", strerror(-error));
		else
			works = run_child(&trial, &child);
	}
	trial_bpf__destroy(trial.skeleton);
	return works;
}
