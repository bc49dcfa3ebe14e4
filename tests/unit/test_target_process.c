/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "target/process.h"

static const char ordinary[] =
	"4242 (python3) S 1 4242 4242 0 -1 4194304 100 0 0 0 5 6 0 0 20 0 1 0 987654 1000 50 "
	"18446744073709551615";

static void test_stat_line_is_read(void **state)
{
	struct process_stat stat;

	(void)state;
	assert_int_equal(process_stat_parse(ordinary, &stat), 0);
	assert_string_equal(stat.comm, "python3");
	assert_int_equal(stat.state, 'S');
	assert_int_equal(stat.flags, 4194304);
	assert_int_equal(stat.start_ticks, 987654);
}

static void test_comm_may_hold_parentheses_and_spaces(void **state)
{
	struct process_stat stat;

	(void)state;
	assert_int_equal(
		process_stat_parse("7 (a) R (b) Z 1 7 7 0 -1 0 1 0 0 0 5 6 0 0 20 0 1 0 12 "
				   "1",
				   &stat),
		0);
	assert_string_equal(stat.comm, "a) R (b");
	assert_int_equal(stat.state, 'Z');
	assert_int_equal(stat.start_ticks, 12);
}

static void test_broken_stat_lines_are_refused(void **state)
{
	const char *const broken[] = {"", "12", "12 (x", ")(", "12 (x) S 1 2 3"};
	struct process_stat stat;

	(void)state;
	for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++)
		assert_int_equal(process_stat_parse(broken[i], &stat), -EINVAL);
}

static void test_own_process_is_refused_by_name(void **state)
{
	struct process_identity identity;
	struct process_error error;

	(void)state;
	assert_int_equal(process_check(getpid(), &identity, &error), -EINVAL);
	assert_non_null(strstr(error.message, "itself"));
}

static void test_missing_process_is_refused(void **state)
{
	struct process_identity identity;
	struct process_error error;

	(void)state;
	/* Beyond the largest pid that Linux gives out. */
	assert_int_equal(process_check(1 << 23, &identity, &error), -ESRCH);
	assert_non_null(strstr(error.message, "no process"));
	assert_int_equal(process_check(0, &identity, &error), -ESRCH);
	assert_int_equal(process_check(-1, &identity, &error), -ESRCH);
}

static void test_zombie_is_refused(void **state)
{
	struct process_identity identity;
	struct process_error error;
	siginfo_t info;
	pid_t child = fork();

	(void)state;
	if (child == 0)
		_exit(0);
	assert_true(child > 0);
	/* It has exited but is not reaped. */
	assert_int_equal(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT), 0);
	assert_int_equal(process_check(child, &identity, &error), -ESRCH);
	assert_non_null(strstr(error.message, "zombie"));
	assert_int_equal(waitpid(child, NULL, 0), child);
}

static void test_living_child_is_accepted(void **state)
{
	struct process_identity identity;
	struct process_error error;
	pid_t child = fork();

	(void)state;
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		pause();
		_exit(0);
	}
	assert_true(child > 0);
	assert_int_equal(process_check(child, &identity, &error), 0);
	assert_int_equal(identity.pid, child);
	assert_int_equal(identity.uid, geteuid());
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, NULL, 0), child);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stat_line_is_read),
		cmocka_unit_test(test_comm_may_hold_parentheses_and_spaces),
		cmocka_unit_test(test_broken_stat_lines_are_refused),
		cmocka_unit_test(test_own_process_is_refused_by_name),
		cmocka_unit_test(test_missing_process_is_refused),
		cmocka_unit_test(test_zombie_is_refused),
		cmocka_unit_test(test_living_child_is_accepted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
