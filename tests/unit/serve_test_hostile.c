/* SPDX-License-Identifier: Apache-2.0 */
/* Clients that are slow, many or silent get in nobody's way; and how the server stops. */
#include "serve_client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <grp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MANY_CLIENTS 300

static int set_up(void **state)
{
	struct served *served = malloc(sizeof(*served));

	served_prepare(served);
	served_start(served);
	*state = served;
	return 0;
}

static int tear_down(void **state)
{
	served_end(*state);
	free(*state);
	return 0;
}

static int count_threads(void)
{
	DIR *tasks = opendir("/proc/self/task");
	int count = 0;

	while (readdir(tasks))
		count++;
	closedir(tasks);
	return count - 2;
}

static double now_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void assert_healthy(const struct served *served, bool is_tcp)
{
	struct reply reply = is_tcp ? ask_tcp(served, "GET", "/-/healthy", "localhost")
				    : ask_unix(served, "GET", "/-/healthy");

	assert_int_equal(reply.status, 200);
	reply_free(&reply);
}

static void open_slow_clients(const struct served *served, bool is_tcp, int fds[MANY_CLIENTS])
{
	for (int i = 0; i < MANY_CLIENTS; i++) {
		static const char half_a_request[] = "GET /-/healthy HTTP/1.1\r\nHost: local";

		fds[i] = is_tcp ? connect_tcp(served->port) : connect_unix(served->socket_path);
		assert_true(fds[i] >= 0);
		/* One that was sent away already is no failure. */
		send(fds[i], half_a_request, strlen(half_a_request), MSG_NOSIGNAL);
	}
}

static void close_all(int fds[MANY_CLIENTS])
{
	for (int i = 0; i < MANY_CLIENTS; i++)
		close(fds[i]);
}

static void slow_clients_block_nobody(const struct served *served, bool is_tcp)
{
	int fds[MANY_CLIENTS], threads = count_threads();
	double started = now_seconds();
	struct reply reply;

	open_slow_clients(served, is_tcp, fds);
	assert_healthy(served, is_tcp);
	/* Well before any timeout could have made room. */
	assert_true(now_seconds() - started < 5);
	assert_int_equal(count_threads(), threads);
	/* The oldest had to go, the youngest may go on. */
	reply = read_reply(fds[0]);
	assert_int_equal(reply.status, 0);
	reply_free(&reply);
	send_text(fds[MANY_CLIENTS - 1], "host\r\nConnection: close\r\n\r\n");
	reply = read_reply(fds[MANY_CLIENTS - 1]);
	assert_int_equal(reply.status, 200);
	reply_free(&reply);
	close_all(fds);
	assert_healthy(served, is_tcp);
}

static void test_slow_clients_on_the_socket_block_nobody(void **state)
{
	slow_clients_block_nobody(*state, false);
}

static void test_slow_clients_on_tcp_block_nobody(void **state)
{
	slow_clients_block_nobody(*state, true);
}

/* In a child, as nobody: takes many connections, says so, and holds them until told to go. */
static void hold_many_clients(const struct served *served, int ready, int done)
{
	static const char request[] = "GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n";
	int fds[MANY_CLIENTS];
	char byte = 0;

	if (setgroups(0, NULL) || setresuid(FAKE_NOBODY_UID, FAKE_NOBODY_UID, FAKE_NOBODY_UID))
		_exit(1);
	for (int i = 0; i < MANY_CLIENTS; i++)
		fds[i] = connect_unix(served->socket_path);
	/* Answered once all that came before have been let in. */
	if (send(fds[MANY_CLIENTS - 1], request, strlen(request), MSG_NOSIGNAL) < 0 ||
	    recv(fds[MANY_CLIENTS - 1], &byte, 1, 0) != 1)
		_exit(2);
	_exit(write(ready, &byte, 1) != 1 || read(done, &byte, 1) != 1);
}

static void test_a_user_with_many_clients_sends_away_its_own_alone(void **state)
{
	struct served *served = *state;
	int ready[2], done[2], status, ours = connect_unix(served->socket_path);
	struct reply reply;
	pid_t child;
	char byte = 0;

	send_text(ours, "GET /-/healthy HTTP/1.1\r\n");
	assert_int_equal(pipe(ready), 0);
	assert_int_equal(pipe(done), 0);
	child = fork();
	if (child == 0)
		hold_many_clients(served, ready[1], done[0]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	send_text(ours, "Host: x\r\nConnection: close\r\n\r\n");
	reply = read_reply(ours);
	assert_int_equal(reply.status, 200);
	reply_free(&reply);
	close(ours);
	assert_int_equal(write(done[1], &byte, 1), 1);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	for (int i = 0; i < 2; i++) {
		close(ready[i]);
		close(done[i]);
	}
}

static void test_answers_that_nobody_reads_are_bounded(void **state)
{
	struct served *served = *state;
	struct reply reply;
	int fds[24];
	size_t busy = 0;

	served->state.site_count = 20000; /* about 13 MiB of text each */
	for (size_t i = 0; i < 24; i++) {
		char status_line[16] = "";

		fds[i] = connect_unix(served->socket_path);
		send_text(fds[i], "GET /api/v1/processes/1/leaks HTTP/1.1\r\nHost: x\r\n\r\n");
		/* The first bytes say which answer it is; the rest stays unread. */
		assert_int_equal(recv(fds[i], status_line, 12, MSG_WAITALL), 12);
		if (strcmp(status_line, "HTTP/1.1 503") == 0)
			busy++;
		else
			assert_string_equal(status_line, "HTTP/1.1 200");
	}
	assert_true(busy > 0 && busy < 24);
	assert_healthy(served, false);
	for (size_t i = 0; i < 24; i++)
		close(fds[i]);
	/* What they held is given back as soon as the server sees them gone. */
	for (double deadline = now_seconds() + 10;;) {
		reply = ask_unix(served, "GET", "/api/v1/processes/1/leaks");
		if (reply.status == 200)
			break;
		assert_int_equal(reply.status, 503);
		assert_true(now_seconds() < deadline);
		reply_free(&reply);
	}
	reply_free(&reply);
}

static void test_a_request_that_never_ends_is_cut_off(void **state)
{
	struct served *served = *state;
	static const char header[] = "X: 0123456789012345678901234567890123456789\r\n";
	int fd = connect_unix(served->socket_path);
	struct reply reply;

	send_text(fd, "GET /-/healthy HTTP/1.1\r\n");
	for (int i = 0; i < 10000; i++) {
		if (send(fd, header, strlen(header), MSG_NOSIGNAL) < 0)
			break;
	}
	reply = read_reply(fd);
	assert_true(reply.status == 0 || reply.status == 431);
	reply_free(&reply);
	close(fd);
	assert_healthy(served, false);
}

static void test_connections_that_end_half_way_leave_nothing(void **state)
{
	static const char *const halves[] = {
		"",
		"G",
		"GET /metrics",
		"GET /metrics HTTP/1.1\r\n",
		"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n",
		"PUT /api/v1/processes/1/watch HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{",
		"\r\n\r\n\xff\xfe nonsense\r\n\r\n",
	};
	struct served *served = *state;

	for (size_t i = 0; i < 20 * sizeof(halves) / sizeof(halves[0]); i++) {
		int fd = connect_unix(served->socket_path);

		send_text(fd, halves[i % (sizeof(halves) / sizeof(halves[0]))]);
		close(fd);
	}
	assert_healthy(served, false);
}

static void *ask_doctor(void *context)
{
	struct reply *reply = malloc(sizeof(*reply));

	*reply = ask_unix(context, "GET", "/api/v1/doctor");
	return reply;
}

/* Lets the view go on once the server has begun to stop, as its socket file's end shows. */
static void *release_doctor(void *context)
{
	struct served *served = context;

	while (access(served->socket_path, F_OK) == 0)
		sched_yield();
	pthread_mutex_lock(&served->state.lock);
	served->state.is_doctor_held = false;
	pthread_cond_broadcast(&served->state.changed);
	pthread_mutex_unlock(&served->state.lock);
	return NULL;
}

static void test_stop_waits_for_the_answer_under_way(void **state)
{
	struct served *served = *state;
	struct reply *reply;
	pthread_t asker, releaser;

	served->state.is_doctor_held = true;
	pthread_create(&asker, NULL, ask_doctor, served);
	pthread_mutex_lock(&served->state.lock);
	while (!served->state.is_doctor_waiting)
		pthread_cond_wait(&served->state.changed, &served->state.lock);
	pthread_mutex_unlock(&served->state.lock);
	/* Others are answered meanwhile. */
	assert_healthy(served, false);
	pthread_create(&releaser, NULL, release_doctor, served);
	server_stop(served->server);
	served->server = NULL;
	pthread_join(releaser, NULL);
	pthread_join(asker, (void **)&reply);
	assert_int_equal(reply->status, 200);
	assert_true(reply->body_length > 0 && reply->body[reply->body_length - 1] == '}');
	reply_free(reply);
	free(reply);
}

static void test_stop_does_not_wait_for_who_does_not_read(void **state)
{
	struct served *served = *state;
	int fd = connect_unix(served->socket_path);
	double started;
	char byte;

	served->state.site_count = 20000;
	send_text(fd, "GET /api/v1/processes/1/leaks HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_int_equal(recv(fd, &byte, 1, 0), 1);
	started = now_seconds();
	server_stop(served->server);
	served->server = NULL;
	assert_true(now_seconds() - started < 1.8);
	close(fd);
}

static void test_an_idle_connection_does_not_delay_stop(void **state)
{
	struct served *served = *state;
	int fd = connect_unix(served->socket_path);
	double started;
	char byte;

	send_text(fd, "GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_int_equal(recv(fd, &byte, 1, 0), 1);
	started = now_seconds();
	server_stop(served->server);
	served->server = NULL;
	assert_true(now_seconds() - started < 0.8);
	close(fd);
}

#define SERVER_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SERVER_TEST(test_slow_clients_on_the_socket_block_nobody),
		SERVER_TEST(test_slow_clients_on_tcp_block_nobody),
		SERVER_TEST(test_a_user_with_many_clients_sends_away_its_own_alone),
		SERVER_TEST(test_answers_that_nobody_reads_are_bounded),
		SERVER_TEST(test_a_request_that_never_ends_is_cut_off),
		SERVER_TEST(test_connections_that_end_half_way_leave_nothing),
		SERVER_TEST(test_stop_waits_for_the_answer_under_way),
		SERVER_TEST(test_stop_does_not_wait_for_who_does_not_read),
		SERVER_TEST(test_an_idle_connection_does_not_delay_stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
