/* SPDX-License-Identifier: Apache-2.0 */
/* How the two addresses are taken, kept and given back. */
#include "serve_client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define STARTERS 6

static void assert_answers(const struct served *served)
{
	struct reply reply = ask_unix(served, "GET", "/-/healthy");

	assert_int_equal(reply.status, 200);
	reply_free(&reply);
}

static void assert_start_fails(const struct server_options *options, int err, const char *words)
{
	struct server_error error = {0};
	struct server *server = NULL;

	assert_int_equal(server_start(options, &server, &error), err);
	assert_null(server);
	if (!strstr(error.message, words))
		fail_msg("no '%s' in: %s", words, error.message);
}

/* A socket file that nobody listens on, as a killed daemon leaves it. */
static void leave_stale_socket(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
}

static void test_everybody_may_connect_and_the_file_goes_on_stop(void **state)
{
	struct served served;
	struct stat status;

	(void)state;
	served_prepare(&served);
	served_start(&served);
	assert_int_equal(stat(served.socket_path, &status), 0);
	assert_int_equal(status.st_mode, S_IFSOCK | 0666);
	assert_answers(&served);
	served_end(&served); /* which fails when any file is left */
}

static void test_a_missing_directory_is_made(void **state)
{
	struct served served;

	(void)state;
	served_prepare(&served);
	assert_int_equal(rmdir(served.directory), 0);
	served_start(&served);
	assert_answers(&served);
	served_end(&served);
}

static void test_the_socket_of_a_dead_daemon_is_replaced(void **state)
{
	struct served served;

	(void)state;
	served_prepare(&served);
	leave_stale_socket(served.socket_path);
	served_start(&served);
	assert_answers(&served);
	served_end(&served);
}

static void test_the_socket_of_a_living_daemon_is_left_alone(void **state)
{
	struct served served;
	struct server_options second;

	(void)state;
	served_prepare(&served);
	served_start(&served);
	second = served.options;
	second.listen = "none";
	assert_start_fails(&second, -EADDRINUSE, "another memwatchd answers there");
	assert_start_fails(&second, -EADDRINUSE, served.socket_path);
	assert_answers(&served);
	served_end(&served);
}

static void test_a_file_that_is_no_socket_is_left_alone(void **state)
{
	struct served served;
	struct stat status;
	int fd;

	(void)state;
	served_prepare(&served);
	fd = open(served.socket_path, O_CREAT | O_WRONLY, 0600);
	assert_true(fd >= 0);
	close(fd);
	assert_start_fails(&served.options, -EEXIST, "is not a socket");
	assert_int_equal(lstat(served.socket_path, &status), 0);
	assert_true(S_ISREG(status.st_mode));
	unlink(served.socket_path);
	served_end(&served);
}

static void test_stop_leaves_the_socket_of_a_successor(void **state)
{
	struct served served;
	struct stat status;

	(void)state;
	served_prepare(&served);
	served_start(&served);
	assert_int_equal(unlink(served.socket_path), 0);
	leave_stale_socket(served.socket_path);
	server_stop(served.server);
	served.server = NULL;
	assert_int_equal(lstat(served.socket_path, &status), 0);
	unlink(served.socket_path);
	served_end(&served);
}

static void test_a_path_too_long_is_said_to_be(void **state)
{
	struct served served;
	char path[200];

	(void)state;
	served_prepare(&served);
	memset(path, 'x', sizeof(path));
	memcpy(path, "/tmp/", 5);
	path[sizeof(path) - 1] = '\0';
	served.options.socket_path = path;
	assert_start_fails(&served.options, -ENAMETOOLONG, "107 bytes");
	served_end(&served);
}

static void test_the_longest_path_there_can_be_works(void **state)
{
	struct served served;
	size_t length;

	(void)state;
	served_prepare(&served);
	length = strlen(served.directory);
	snprintf(served.socket_path, sizeof(served.socket_path), "%s/", served.directory);
	memset(served.socket_path + length + 1, 's', sizeof(served.socket_path) - length - 2);
	served_start(&served);
	assert_answers(&served);
	served_end(&served);
}

static void test_a_taken_port_is_named_and_leaves_nothing_behind(void **state)
{
	struct served first, second;

	(void)state;
	served_prepare(&first);
	served_start(&first);
	served_prepare(&second);
	second.options.listen = first.listen;
	assert_start_fails(&second.options, -EADDRINUSE, first.listen);
	assert_start_fails(&second.options, -EADDRINUSE, "another process has this port");
	served_end(&second);
	served_end(&first);
}

static void test_a_wrong_address_says_what_would_be_right(void **state)
{
	static const char *const wrong[] = {
		"",
		"9735",
		":9735",
		"127.0.0.1",
		"127.0.0.1:",
		"127.0.0.1:0",
		"127.0.0.1:x",
		"127.0.0.1:65536",
		"::1:9735",
		"[::1]",
		"[::1]9735",
		"[]:9735",
		"localhost:9735",
		"127.0.0.1:+1",
		"127.0.0.1: 1",
	};
	struct served served;

	(void)state;
	served_prepare(&served);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		served.options.listen = wrong[i];
		assert_start_fails(&served.options, -EINVAL, "127.0.0.1:9735 or [::1]:9735");
	}
	served_end(&served);
}

static void test_none_listens_on_no_port(void **state)
{
	struct served served;

	(void)state;
	served_prepare(&served);
	served.options.listen = "none";
	served_start(&served);
	assert_answers(&served);
	assert_int_equal(connect_tcp(served.port), -ECONNREFUSED);
	served_end(&served);
}

static void test_ipv6_is_listened_on(void **state)
{
	struct served served;
	struct reply reply;

	(void)state;
	served_prepare(&served);
	/* Dual-stack: asked here over IPv4, in the form that the IPv6 socket maps it to. */
	snprintf(served.listen, sizeof(served.listen), "[::ffff:127.0.0.1]:%d", served.port);
	served_start(&served);
	reply = ask_tcp(&served, "GET", "/-/healthy", "127.0.0.1");
	assert_int_equal(reply.status, 200);
	reply_free(&reply);
	served_end(&served);
}

/* Children that start at once: each waits for a byte to start and for one to stop. */
struct race {
	int start[2];
	int stop[2];
	int results[2];
};

static void start_in_child(const struct served *served, const struct race *race)
{
	struct server_error error;
	struct server *server = NULL;
	int err;
	char byte;

	if (read(race->start[0], &byte, 1) != 1)
		_exit(1);
	err = server_start(&served->options, &server, &error);
	if (write(race->results[1], &err, sizeof(err)) != sizeof(err) ||
	    read(race->stop[0], &byte, 1) != 1)
		_exit(1);
	server_stop(server);
	_exit(0);
}

static void race_for_socket(const struct served *served, const struct race *race)
{
	const char bytes[STARTERS] = {0};
	int winners = 0;

	for (int i = 0; i < STARTERS; i++) {
		if (fork() == 0)
			start_in_child(served, race);
	}
	assert_int_equal(write(race->start[1], bytes, STARTERS), STARTERS);
	for (int i = 0; i < STARTERS; i++) {
		int err;

		assert_int_equal(read(race->results[0], &err, sizeof(err)), sizeof(err));
		assert_true(err == 0 || err == -EADDRINUSE);
		winners += err == 0;
	}
	assert_int_equal(winners, 1);
	assert_answers(served);
	assert_int_equal(write(race->stop[1], bytes, STARTERS), STARTERS);
	for (int i = 0; i < STARTERS; i++)
		wait(NULL);
}

static void test_of_daemons_that_start_at_once_one_wins(void **state)
{
	(void)state;
	for (int round = 0; round < 20; round++) {
		struct served served;
		struct race race;

		served_prepare(&served);
		served.options.listen = "none";
		leave_stale_socket(served.socket_path);
		assert_int_equal(pipe(race.start), 0);
		assert_int_equal(pipe(race.stop), 0);
		assert_int_equal(pipe(race.results), 0);
		race_for_socket(&served, &race);
		for (int i = 0; i < 2; i++) {
			close(race.start[i]);
			close(race.stop[i]);
			close(race.results[i]);
		}
		served_end(&served);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_everybody_may_connect_and_the_file_goes_on_stop),
		cmocka_unit_test(test_a_missing_directory_is_made),
		cmocka_unit_test(test_the_socket_of_a_dead_daemon_is_replaced),
		cmocka_unit_test(test_the_socket_of_a_living_daemon_is_left_alone),
		cmocka_unit_test(test_a_file_that_is_no_socket_is_left_alone),
		cmocka_unit_test(test_stop_leaves_the_socket_of_a_successor),
		cmocka_unit_test(test_a_path_too_long_is_said_to_be),
		cmocka_unit_test(test_the_longest_path_there_can_be_works),
		cmocka_unit_test(test_a_taken_port_is_named_and_leaves_nothing_behind),
		cmocka_unit_test(test_a_wrong_address_says_what_would_be_right),
		cmocka_unit_test(test_none_listens_on_no_port),
		cmocka_unit_test(test_ipv6_is_listened_on),
		cmocka_unit_test(test_of_daemons_that_start_at_once_one_wins),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
