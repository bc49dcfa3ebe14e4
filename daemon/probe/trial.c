/* SPDX-License-Identifier: Apache-2.0 */
/* Tries an attach back end: a child of our own with threads calls a function that is probed. */
#include "probe/backend.h"

#include "probe/load_log.h"
#include "probe/programs.h"
#include "trial.skel.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <link.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
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

	/* The parent's end by whatever means ends us too. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
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

static bool child_answers(const struct child *child)
{
	struct pollfd answer = {.fd = child->answers, .events = POLLIN};
	char word;

	return poll(&answer, 1, ANSWER_MS) == 1 && read(child->answers, &word, 1) == 1;
}

static bool child_runs(const struct child *child)
{
	return write(child->commands, "g", 1) == 1 && child_answers(child);
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
		[PROBE_PROGRAM_ALONE] = trial->skeleton->progs.trial_alone,
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

static int find_file_offset(struct dl_phdr_info *program, size_t size, void *offset)
{
	uintptr_t wanted = (uintptr_t)trial_function - program->dlpi_addr;

	(void)size;
	for (int i = 0; i < program->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &program->dlpi_phdr[i];

		if (segment->p_type == PT_LOAD && wanted - segment->p_vaddr < segment->p_filesz)
			*(uint64_t *)offset = wanted - segment->p_vaddr + segment->p_offset;
	}
	return 1; /* the first object is the program itself */
}

static unsigned char first_byte(void)
{
	return *(volatile unsigned char *)(uintptr_t)trial_function;
}

/* Has the child call the probed function. */
static bool run(const struct trial *trial, const struct child *child)
{
	struct probe_point point = {.cookie = (uintptr_t)trial_function, .needs_return = true};
	unsigned char unprobed = first_byte();
	struct probe_link *link;
	bool has_run, is_probed;
	int error;

	dl_iterate_phdr(find_file_offset, &point.file_offset);
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

bool probe_backend_try(const struct probe_backend *backend, char *reason, size_t size)
{
	struct trial trial = {.backend = backend, .reason = reason, .reason_size = size};
	struct child child = {.pid = -1};
	bool works = false;

	load_log_start();
	reason[0] = '\0';
	if (load(&trial)) {
		int error = child_start(&child);

		if (error)
			refuse(&trial, "a child for its trial cannot be had: %s", strerror(-error));
		else if (!child_answers(&child))
			refuse(&trial, "the child for its trial doesn't start");
		else
			works = run(&trial, &child) && judge(&trial);
		child_end(&child);
	}
	trial_bpf__destroy(trial.skeleton);
	return works;
}
