/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/seccomp.h>

#include <cmocka.h>

#include "target/seccomp_trial.h"

/* As wait(2) encodes an end by exit and one by a signal. */
#define ENDED_WITH(status) ((status) << 8)
#define KILLED_BY(signal)  (signal)

#define STATUS_LIVED     42
#define STATUS_NO_FILTER 43

static struct seccomp_trial judged(int wait_status, uint64_t probed_returns)
{
	struct seccomp_trial trial = {.probed_returns = probed_returns};

	seccomp_trial_judge(&trial, wait_status);
	return trial;
}

static void test_a_child_that_lived_through_probed_returns_clears_the_kernel(void **state)
{
	struct seccomp_trial trial = judged(ENDED_WITH(STATUS_LIVED), 16);

	(void)state;
	assert_int_equal(trial.verdict, SECCOMP_HARMLESS);
	assert_string_equal(trial.reason, "");
}

static void test_a_child_that_lived_unprobed_proves_nothing(void **state)
{
	(void)state;
	assert_int_equal(judged(ENDED_WITH(STATUS_LIVED), 0).verdict, SECCOMP_UNKNOWN);
}

/* A filter that answers with an error number leaves the thread at a wild address. */
static void test_whatever_signal_ends_the_child_condemns_the_kernel(void **state)
{
	const int signals[] = {SIGSYS, SIGSEGV, SIGILL, SIGTRAP, SIGBUS};

	(void)state;
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		struct seccomp_trial trial = judged(KILLED_BY(signals[i]), i);

		assert_int_equal(trial.verdict, SECCOMP_DEADLY);
		assert_non_null(strstr(trial.reason, strsignal(signals[i])));
	}
}

static void test_a_child_that_had_to_be_killed_proves_nothing(void **state)
{
	(void)state;
	assert_int_equal(judged(KILLED_BY(SIGKILL), 3).verdict, SECCOMP_UNKNOWN);
	assert_int_equal(judged(ENDED_WITH(STATUS_NO_FILTER), 0).verdict, SECCOMP_UNKNOWN);
	assert_int_equal(judged(ENDED_WITH(1), 0).verdict, SECCOMP_UNKNOWN);
}

/* ---- Who is concerned ---- */

static int go[2];

static void *enter_strict_mode(void *ready)
{
	char byte = 1;

	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) || write(*(int *)ready, &byte, 1) != 1)
		abort();
	while (read(go[0], &byte, 1) == 0)
		;
	return NULL;
}

/* A process of which one thread alone, or none, is in strict mode; it has said that it is. */
static pid_t start_process(bool has_strict_thread)
{
	int ready[2];
	pthread_t thread;
	char byte = 0;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	assert_int_equal(pipe(go), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (has_strict_thread)
			pthread_create(&thread, NULL, enter_strict_mode, &ready[1]);
		else if (write(ready[1], &byte, 1) != 1)
			abort();
		pause();
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	close(ready[1]);
	return pid;
}

static void end_process(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(go[0]);
	close(go[1]);
}

static int check(enum seccomp_verdict verdict, pid_t pid, struct process_error *error)
{
	struct seccomp_trial trial = {.verdict = verdict};

	return seccomp_check(&trial, pid, error);
}

static void test_one_filtered_thread_is_enough_to_refuse(void **state)
{
	struct process_error error = {""};
	pid_t pid = start_process(true);

	(void)state;
	assert_int_equal(check(SECCOMP_HARMLESS, pid, &error), 0);
	assert_int_equal(check(SECCOMP_UNTRIED, pid, &error), 0);
	assert_int_equal(check(SECCOMP_DEADLY, pid, &error), -ENOTSUP);
	assert_non_null(strstr(error.message, "seccomp filter"));
	assert_int_equal(check(SECCOMP_UNKNOWN, pid, &error), -ENOTSUP);
	assert_non_null(strstr(error.message, "could not be tried"));
	end_process(pid);
}

static void test_processes_without_a_filter_are_no_concern(void **state)
{
	struct process_error error = {""};
	pid_t pid = start_process(false);

	(void)state;
	assert_int_equal(check(SECCOMP_DEADLY, pid, &error), 0);
	end_process(pid);
	assert_int_equal(check(SECCOMP_DEADLY, pid, &error), -ESRCH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_child_that_lived_through_probed_returns_clears_the_kernel),
		cmocka_unit_test(test_a_child_that_lived_unprobed_proves_nothing),
		cmocka_unit_test(test_whatever_signal_ends_the_child_condemns_the_kernel),
		cmocka_unit_test(test_a_child_that_had_to_be_killed_proves_nothing),
		cmocka_unit_test(test_one_filtered_thread_is_enough_to_refuse),
		cmocka_unit_test(test_processes_without_a_filter_are_no_concern),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
