/* SPDX-License-Identifier: Apache-2.0 */
#include "launch.h"
#include "launch_files.h"
#include "process_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void assert_path(const char *line, const char *wanted)
{
	const char *path;
	size_t length = launch_files_parse_line(line, &path);

	assert_int_equal(length, strlen(wanted));
	assert_memory_equal(path, wanted, length);
}

static void test_the_loaders_lines_name_files(void **state)
{
	(void)state;
	assert_path("\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f11)\n",
		    "/lib/x86_64-linux-gnu/libc.so.6");
	assert_path("\t/lib64/ld-linux-x86-64.so.2 (0x00007f11)\n", "/lib64/ld-linux-x86-64.so.2");
	assert_path("\tlibx.so => /srv/a (0x b) => c/libx.so (0x1)\n",
		    "/srv/a (0x b) => c/libx.so");
	assert_path("\tlinux-vdso.so.1 (0x00007ffe)\n", "");
	assert_path("\tlibnone.so => not found\n", "");
	assert_path("\n", "");
	assert_path("", "");
}

static void test_scripts_name_their_interpreter(void **state)
{
	const char *path;

	(void)state;
	assert_int_equal(launch_files_parse_script("#! /bin/sh -e\nx", 14, &path), 7);
	assert_memory_equal(path, "/bin/sh", 7);
	assert_int_equal(launch_files_parse_script("#!/bin/sh\n", 10, &path), 7);
	assert_int_equal(launch_files_parse_script("#!/bin/sh", 9, &path), 0);
	assert_int_equal(launch_files_parse_script("#! \n", 4, &path), 0);
	assert_int_equal(launch_files_parse_script("#!", 2, &path), 0);
	assert_int_equal(launch_files_parse_script("#", 1, &path), 0);
	assert_int_equal(launch_files_parse_script("x!/bin/sh\n", 10, &path), 0);
}

static void test_a_stat_line_is_read_whatever_the_name(void **state)
{
	const char *line = "42 (a) R 7 (b)) S 41 42 42 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 "
			   "123456 1000 77 0\n";
	struct process_stat stat;

	(void)state;
	assert_int_equal(process_tree_parse_stat(line, &stat), 0);
	assert_string_equal(stat.comm, "a) R 7 (b)");
	assert_int_equal(stat.state, 'S');
	assert_int_equal(stat.parent_pid, 41);
	assert_int_equal(stat.start_ticks, 123456);
	assert_int_equal(stat.rss_pages, 77);
	assert_int_equal(process_tree_parse_stat("", &stat), -EINVAL);
	assert_int_equal(process_tree_parse_stat("42 )a( S 1\n", &stat), -EINVAL);
	assert_int_equal(process_tree_parse_stat("42 (a) S 1 2 3\n", &stat), -EINVAL);
}

static struct launch begin(char **arguments)
{
	struct launch launch;
	sigset_t mask;

	sigemptyset(&mask);
	assert_int_equal(launch_begin(&launch, arguments, &mask), 0);
	return launch;
}

static void test_a_program_waits_until_it_is_let_go(void **state)
{
	char *arguments[] = {(char *)"sh", (char *)"-c", (char *)"exit 7", NULL};
	struct launch launch = begin(arguments);
	int status;

	(void)state;
	assert_int_equal(waitpid(launch.pid, &status, WNOHANG), 0);
	assert_int_equal(launch_go(&launch), 0);
	assert_int_equal(waitpid(launch.pid, &status, 0), launch.pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 7);
}

static void test_what_cannot_be_executed_says_why(void **state)
{
	char *absent[] = {(char *)"/no/such/program", NULL};
	char *folder[] = {(char *)"/", NULL};
	struct launch launch = begin(absent);

	(void)state;
	assert_int_equal(launch_go(&launch), -ENOENT);
	launch = begin(folder);
	assert_int_equal(launch_go(&launch), -EACCES);
	/* Neither leaves a child behind. */
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

static void test_an_abandoned_program_never_ran(void **state)
{
	char path[] = "/tmp/memwatch-launch-XXXXXX";
	char *arguments[] = {(char *)"rm", path, NULL};
	struct launch launch;

	(void)state;
	close(mkstemp(path));
	launch = begin(arguments);
	launch_abandon(&launch);
	assert_int_equal(waitpid(launch.pid, NULL, 0), -1);
	assert_int_equal(access(path, F_OK), 0);
	unlink(path);
}

static void test_a_program_killed_before_is_let_go_all_the_same(void **state)
{
	char *arguments[] = {(char *)"true", NULL};
	struct launch launch = begin(arguments);
	int status;

	(void)state;
	kill(launch.pid, SIGKILL);
	assert_int_equal(launch_go(&launch), 0);
	assert_int_equal(waitpid(launch.pid, &status, 0), launch.pid);
	assert_true(WIFSIGNALED(status));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_loaders_lines_name_files),
		cmocka_unit_test(test_scripts_name_their_interpreter),
		cmocka_unit_test(test_a_stat_line_is_read_whatever_the_name),
		cmocka_unit_test(test_a_program_waits_until_it_is_let_go),
		cmocka_unit_test(test_what_cannot_be_executed_says_why),
		cmocka_unit_test(test_an_abandoned_program_never_ran),
		cmocka_unit_test(test_a_program_killed_before_is_let_go_all_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
