/* SPDX-License-Identifier: Apache-2.0 */
#include "target/seccomp_trial.h"

#include "probe/child.h"
#include "procfs.h"
#include "target/table.h"

#include <dirent.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Each is a block of 64 bytes, which is in the heap by then: no system call but the probe's own. */
#define CALLS       16
#define BLOCK_BYTES 64

/* A child that hangs is no reason for us to hang. */
#define TRIAL_MS_MAX 5000

/* How the child ends when all went well; nothing else in the daemon ends so. */
#define STATUS_LIVED 42
/* The child could not put itself under a filter. */
#define STATUS_NO_FILTER 43

/* ---- In the child ---- */

/* What the child needs from here on. That of the probes is not among it. */
static const uint32_t allowed_calls[] = {SYS_read,   SYS_write,     SYS_exit_group, SYS_brk,
					 SYS_mmap,   SYS_munmap,    SYS_mprotect,   SYS_madvise,
					 SYS_mremap, SYS_getrandom, SYS_futex};

#define ALLOWED_COUNT (sizeof(allowed_calls) / sizeof(allowed_calls[0]))

/* Our own machine code alone runs under it: no check of the architecture is needed. */
static int install_filter(void)
{
	struct sock_filter filter[ALLOWED_COUNT + 3];
	struct sock_fprog program = {.len = ALLOWED_COUNT + 3, .filter = filter};

	filter[0] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
						 offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < ALLOWED_COUNT; i++)
		filter[i + 1] =
			(struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, allowed_calls[i],
						     (uint8_t)(ALLOWED_COUNT - i), 0);
	filter[ALLOWED_COUNT + 1] =
		(struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	filter[ALLOWED_COUNT + 2] =
		(struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -errno;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) ? -errno : 0;
}

static void child_main(int command, int answer)
{
	void *volatile block;
	char byte = 'r';

	free(malloc(BLOCK_BYTES));
	if (install_filter())
		_exit(STATUS_NO_FILTER);
	if (write(answer, &byte, 1) != 1 || read(command, &byte, 1) != 1)
		_exit(EXIT_FAILURE);
	for (size_t i = 0; i < CALLS; i++) {
		block = malloc(BLOCK_BYTES);
		free(block);
	}
	_exit(STATUS_LIVED);
}

/* ---- In the daemon ---- */

static int run_probed(struct target_table *table, struct probe_child *child,
		      uint64_t *probed_returns, struct process_error *error)
{
	struct target *target;
	struct record_target_hits hits;
	int result = target_watch(table, child->pid, 1, &target, error);

	if (result)
		return result;
	target_attach_now(table, target);
	result = target_check_watched(target, error);
	if (!result && write(child->commands, "r", 1) == 1)
		probe_child_answers(
			child, TRIAL_MS_MAX); /* it says nothing more: this waits for its end */
	probe_object_hits(table->object, target->slot, &hits);
	*probed_returns = hits.returns;
	target_unwatch_now(table, target);
	return result;
}

__attribute__((format(printf, 2, 3))) static void set_unknown(struct seccomp_trial *trial,
							      const char *format, ...)
{
	va_list arguments;

	trial->verdict = SECCOMP_UNKNOWN;
	va_start(arguments, format);
	vsnprintf(trial->reason, sizeof(trial->reason), format, arguments);
	va_end(arguments);
}

void seccomp_trial_judge(struct seccomp_trial *trial, int wait_status)
{
	trial->reason[0] = '\0';
	if (WIFSIGNALED(wait_status) && WTERMSIG(wait_status) != SIGKILL) {
		trial->verdict = SECCOMP_DEADLY;
		snprintf(trial->reason, sizeof(trial->reason),
			 "signal %d (%s) ended it at a probed return", WTERMSIG(wait_status),
			 strsignal(WTERMSIG(wait_status)));
	} else if (WIFSIGNALED(wait_status)) {
		set_unknown(trial, "it did not come to an end within %d s", TRIAL_MS_MAX / 1000);
	} else if (WEXITSTATUS(wait_status) == STATUS_NO_FILTER) {
		set_unknown(trial, "it was not allowed to put itself under a filter");
	} else if (WEXITSTATUS(wait_status) != STATUS_LIVED) {
		set_unknown(trial, "it ended with status %d", WEXITSTATUS(wait_status));
	} else if (!trial->probed_returns) {
		set_unknown(trial, "it lived, but its returns were not probed");
	} else {
		trial->verdict = SECCOMP_HARMLESS;
	}
}

void seccomp_trial_run(struct target_table *table)
{
	struct seccomp_trial trial = {.verdict = SECCOMP_UNTRIED};
	struct process_error error = {""};
	struct probe_child child;
	int result = probe_child_start(&child, child_main);

	table->seccomp = trial;
	if (result) {
		set_unknown(&trial, "it could not be started: %s", strerror(-result));
	} else {
		/* It hasn't said it when it has ended, or is too slow. */
		if (probe_child_answers(&child, TRIAL_MS_MAX))
			result = run_probed(table, &child, &trial.probed_returns, &error);
		seccomp_trial_judge(&trial, probe_child_end(&child));
		if (result)
			set_unknown(&trial, "%s", error.message);
	}
	table->seccomp = trial;
}

/* ---- Who is concerned ---- */

int seccomp_is_filtered(pid_t pid, bool *is_filtered)
{
	const struct dirent *entry;
	bool found = false;
	char path[64];
	DIR *tasks;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	tasks = opendir(path);
	if (!tasks)
		return errno == ENOENT ? -ESRCH : -errno;
	while (!found && (entry = readdir(tasks))) {
		char status[sizeof(path) + sizeof(entry->d_name) + sizeof("//status")];
		uint64_t mode = 0;

		snprintf(status, sizeof(status), "%s/%s/status", path, entry->d_name);
		/* 1: strict, 2: filter (proc(5)). A thread that has just ended has none. */
		if (entry->d_name[0] != '.' && !procfs_read_number(status, "Seccomp", &mode))
			found = mode != 0;
	}
	closedir(tasks);
	*is_filtered = found;
	return 0;
}

int seccomp_check(const struct seccomp_trial *trial, pid_t pid, struct process_error *error)
{
	bool is_filtered = false;
	int result;

	if (trial->verdict == SECCOMP_HARMLESS || trial->verdict == SECCOMP_UNTRIED)
		return 0;
	result = seccomp_is_filtered(pid, &is_filtered);
	if (result == -ESRCH)
		snprintf(error->message, sizeof(error->message), "process %d has just exited",
			 (int)pid);
	else if (result)
		snprintf(error->message, sizeof(error->message), "cannot read /proc/%d/task: %s",
			 (int)pid, strerror(-result));
	if (result || !is_filtered)
		return result;
	snprintf(error->message, sizeof(error->message),
		 "process %d runs under a seccomp filter, and %s: probes could end it (Linux 6.11 "
		 "to 6.13 do that; see memwatchctl doctor)",
		 (int)pid,
		 trial->verdict == SECCOMP_DEADLY
			 ? "a child of memwatchd's own that did so was killed at its first "
			   "probed return"
			 : "it could not be tried whether this kernel lets the probes' system call "
			   "pass");
	return -ENOTSUP;
}
