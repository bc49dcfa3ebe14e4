/* SPDX-License-Identifier: Apache-2.0 */
/* A real server over fake views: who gets which answer. */
#include "serve_client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cjson/cJSON.h>
#include <cmocka.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

/* The status and, of an error, the code; frees the reply. */
static void assert_error(struct reply reply, int status, const char *code)
{
	cJSON *json = cJSON_Parse(reply.body);
	const cJSON *error = cJSON_GetObjectItem(json, "error");

	if (reply.status != status || !error)
		fail_msg("want %d %s, got %d %s", status, code, reply.status, reply.body);
	assert_non_null(strstr(reply.headers, "Content-Type: application/json\r\n"));
	assert_string_equal(cJSON_GetObjectItem(error, "code")->valuestring, code);
	assert_true(cJSON_GetObjectItem(error, "message")->valuestring[0] != '\0');
	cJSON_Delete(json);
	reply_free(&reply);
}

static void assert_status(struct reply reply, int status)
{
	if (reply.status != status)
		fail_msg("want %d, got %d %s", status, reply.status, reply.body);
	reply_free(&reply);
}

static void test_both_listeners_say_healthy_and_ready(void **state)
{
	struct served *served = *state;
	struct reply reply = ask_unix(served, "GET", "/-/healthy");

	assert_int_equal(reply.status, 200);
	assert_string_equal(reply.body, "ok");
	reply_free(&reply);
	assert_status(ask_tcp(served, "GET", "/-/healthy", "localhost"), 200);
	assert_status(ask_tcp(served, "GET", "/-/ready", "localhost"), 200);
	served->is_ready = false;
	assert_status(ask_unix(served, "GET", "/-/ready"), 503);
	assert_status(ask_tcp(served, "GET", "/-/ready", "localhost"), 503);
	assert_status(ask_unix(served, "GET", "/-/healthy"), 200);
}

static void test_each_error_of_a_view_has_its_status(void **state)
{
	static const struct {
		int err, status;
		const char *code;
	} errors[] = {
		{-EPERM, 403, "not_permitted"},
		{-ESRCH, 404, "no_such_process"},
		{-ENODATA, 404, "not_a_target"},
		{-ENOENT, 404, "not_found"},
		{-EBUSY, 409, "conflict"},
		{-EINVAL, 422, "unsupported_process"},
		{-ENOEXEC, 422, "unsupported_process"},
		{-ENOSPC, 429, "too_many_targets"},
		{-ENOMEM, 500, "internal"},
		{-EIO, 500, "internal"},
		{-12345, 500, "internal"},
		{-ENOTSUP, 501, "unsupported_kernel"},
	};
	static const struct {
		const char *method, *target;
	} requests[] = {
		{"GET", "/metrics"},
		{"GET", "/api/v1/status"},
		{"GET", "/api/v1/doctor"},
		{"GET", "/api/v1/processes"},
		{"GET", "/api/v1/processes/1"},
		{"GET", "/api/v1/processes/1/leaks"},
		{"GET", "/api/v1/processes/1/stacks"},
		{"GET", "/api/v1/processes/1/lines"},
		{"GET", "/api/v1/targets"},
		{"PUT", "/api/v1/processes/1/watch"},
		{"DELETE", "/api/v1/processes/1/watch"},
		{"GET", "/api/v1/ooms"},
		{"GET", "/api/v1/ooms/1"},
	};
	struct served *served = *state;

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		served->state.err = errors[i].err;
		for (size_t j = 0; j < sizeof(requests) / sizeof(requests[0]); j++)
			assert_error(ask_unix(served, requests[j].method, requests[j].target),
				     errors[i].status, errors[i].code);
	}
}

static void test_the_words_of_a_view_reach_the_client(void **state)
{
	struct served *served = *state;
	struct reply reply;

	served->state.err = -ENOEXEC;
	served->state.message = "process 1 runs a 32-bit program";
	reply = ask_unix(served, "PUT", "/api/v1/processes/1/watch");
	assert_non_null(strstr(reply.body, served->state.message));
	reply_free(&reply);
}

static void test_requests_that_are_wrong_are_told_why(void **state)
{
	struct served *served = *state;
	static const char *const bad[] = {
		"/api/v1/processes/0",
		"/api/v1/processes/x",
		"/api/v1/processes/-1/leaks",
		"/api/v1/processes/2147483648",
		"/api/v1/processes?top=x",
		"/api/v1/processes/1/leaks?all=2",
		"/api/v1/processes/1/stacks?all=1",
		"/api/v1/processes/1/lines?sort=size",
		"/api/v1/processes/1/lines?group_by=class",
		"/api/v1/processes/1/lines?file=",
		"/api/v1/processes/1/stacks?file=x",
		"/api/v1/ooms/x",
		"/api/v1/ooms/0",
		"/api/v1/status?x",
	};
	const char *const bad_watches[] = {
		"/api/v1/processes/1/watch?lease_id=7",
		"/api/v1/processes/1/watch?budget=0",
		"/api/v1/processes/1/watch?budget=101",
		"/api/v1/processes/1/watch?force=2",
		"/api/v1/processes/1/watch?budget=3&force=1",
		"/api/v1/processes/1/watch?retry=1&force=1",
		"/api/v1/processes/1/watch?retry=1&lease=5",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_error(ask_unix(served, "GET", bad[i]), 400, "bad_request");
	for (size_t i = 0; i < sizeof(bad_watches) / sizeof(bad_watches[0]); i++)
		assert_error(ask_unix(served, "PUT", bad_watches[i]), 400, "bad_request");
	assert_error(ask_unix(served, "GET", "/"), 404, "not_found");
	assert_error(ask_unix(served, "GET", "/api/v1/processes/"), 404, "not_found");
	assert_error(ask_tcp(served, "GET", "/x", "localhost"), 404, "not_found");
}

static void test_a_body_is_refused(void **state)
{
	struct served *served = *state;
	int fd = connect_unix(served->socket_path);

	send_text(fd, "PUT /api/v1/processes/1/watch HTTP/1.1\r\nHost: x\r\n"
		      "Connection: close\r\nContent-Length: 2\r\n\r\n{}");
	assert_error(read_reply(fd), 400, "bad_request");
	close(fd);
	assert_int_equal(served->state.pid, 0);
}

static void test_arguments_reach_the_views(void **state)
{
	struct served *served = *state;

	assert_status(ask_unix(served, "GET", "/api/v1/processes?top=5"), 200);
	assert_int_equal(served->state.top, 5);
	assert_status(ask_unix(served, "GET", "/api/v1/processes/42/leaks?all=1&top=3"), 200);
	assert_int_equal(served->state.pid, 42);
	assert_true(served->state.sites_options.has_verdicts);
	assert_true(served->state.sites_options.is_all);
	assert_int_equal(served->state.sites_options.top, 3);
	assert_status(ask_unix(served, "GET", "/api/v1/processes/42/stacks?sort=allocated"), 200);
	assert_false(served->state.sites_options.has_verdicts);
	assert_int_equal(served->state.sites_options.sort, ANSWER_SORT_ALLOCATED);
	assert_status(ask_unix(served, "GET",
			       "/api/v1/processes/42/lines?sort=peak&group_by=file&top=7&"
			       "file=%2Fsrv%2F*&function=%3Cmodule%3E"),
		      200);
	assert_int_equal(served->state.lines_options.sort, LINE_SORT_PEAK);
	assert_int_equal(served->state.lines_options.group_by, LINE_BY_FILE);
	assert_int_equal(served->state.lines_options.top, 7);
	assert_string_equal(served->state.lines_file, "/srv/*");
	assert_string_equal(served->state.lines_function, "<module>");
	assert_status(ask_unix(served, "GET", "/api/v1/processes/42/lines"), 200);
	assert_int_equal(served->state.lines_options.sort, LINE_SORT_OUTSTANDING);
	assert_int_equal(served->state.lines_options.group_by, LINE_BY_LINE);
	assert_string_equal(served->state.lines_file, "none");
	assert_status(ask_unix(served, "PUT",
			       "/api/v1/processes/42/watch?interval=1&lease=30&lease_id=9"),
		      200);
	assert_int_equal(served->state.watch_options.sampling_interval_bytes, 1);
	assert_true(served->state.watch_options.lease_seconds == 30);
	assert_int_equal(served->state.watch_options.lease_id, 9);
	assert_true(served->state.watch_options.budget_share == 0);
	assert_false(served->state.watch_options.is_retried);
	assert_status(ask_unix(served, "PUT", "/api/v1/processes/42/watch?budget=3&retry=1"), 200);
	assert_true(served->state.watch_options.budget_share == 0.03);
	assert_true(served->state.watch_options.is_retried);
	assert_status(ask_unix(served, "PUT", "/api/v1/processes/42/watch?force=1"), 200);
	assert_true(isinf(served->state.watch_options.budget_share));
	assert_status(ask_unix(served, "DELETE", "/api/v1/processes/42/watch?lease_id=7"), 200);
	assert_int_equal(served->state.lease_id, 7);
	assert_status(ask_unix(served, "GET", "/api/v1/ooms/18446744073709551615"), 200);
	assert_true(served->state.oom_id == UINT64_MAX);
}

static void test_a_method_that_is_not_taken_is_told_which_are(void **state)
{
	struct served *served = *state;
	struct reply reply = ask_unix(served, "POST", "/metrics");

	assert_non_null(strstr(reply.headers, "\r\nAllow: GET, HEAD\r\n"));
	assert_error(reply, 405, "method_not_allowed");
	reply = ask_unix(served, "GET", "/api/v1/processes/1/watch");
	assert_non_null(strstr(reply.headers, "\r\nAllow: PUT, DELETE\r\n"));
	assert_error(reply, 405, "method_not_allowed");
	assert_error(ask_tcp(served, "PUT", "/metrics", "localhost"), 405, "method_not_allowed");
	assert_error(ask_tcp(served, "OPTIONS", "/metrics", "localhost"), 405,
		     "method_not_allowed");
}

static void test_head_has_the_headers_alone(void **state)
{
	struct served *served = *state;
	struct reply reply = ask_unix(served, "HEAD", "/-/healthy");

	assert_int_equal(reply.status, 200);
	assert_non_null(strstr(reply.headers, "\r\nContent-Length: 2\r\n"));
	assert_int_equal(reply.body_length, 0);
	reply_free(&reply);
	reply = ask_tcp(served, "HEAD", "/metrics", "localhost");
	assert_int_equal(reply.status, 200);
	assert_int_equal(reply.body_length, 0);
	reply_free(&reply);
}

static void test_metrics_come_in_the_format_asked_for(void **state)
{
	struct served *served = *state;
	struct reply reply = ask_tcp(served, "GET", "/metrics", "localhost");
	int fd;

	assert_non_null(strstr(reply.headers, "\r\nContent-Type: text/plain; version=0.0.4;"));
	reply_free(&reply);
	fd = connect_tcp(served->port);
	send_text(fd, "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
		      "Accept: application/openmetrics-text\r\n\r\n");
	reply = read_reply(fd);
	close(fd);
	assert_non_null(strstr(reply.headers, "application/openmetrics-text; version=1.0.0;"));
	assert_non_null(strstr(reply.body, "\n# EOF\n"));
	reply_free(&reply);
}

static void test_tcp_serves_four_paths_and_no_more(void **state)
{
	struct served *served = *state;
	static const char *const served_paths[] = {"/-/healthy", "/-/ready", "/metrics",
						   "/api/v1/status"};
	static const char *const others[] = {
		"/api/v1/doctor",
		"/api/v1/processes",
		"/api/v1/processes/100",
		"/api/v1/processes/1/leaks",
		"/api/v1/processes/1/stacks",
		"/api/v1/processes/1/lines",
		"/api/v1/targets",
		"/api/v1/ooms",
		"/api/v1/ooms/1",
	};

	for (size_t i = 0; i < sizeof(served_paths) / sizeof(served_paths[0]); i++)
		assert_status(ask_tcp(served, "GET", served_paths[i], "localhost"), 200);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_error(ask_tcp(served, "GET", others[i], "localhost"), 403, "not_permitted");
	assert_error(ask_tcp(served, "PUT", "/api/v1/processes/1/watch", "localhost"), 403,
		     "not_permitted");
	assert_error(ask_tcp(served, "DELETE", "/api/v1/processes/1/watch", "localhost"), 403,
		     "not_permitted");
	assert_int_equal(served->state.pid, 0);
}

static void test_tcp_answers_only_to_our_names(void **state)
{
	struct served *served = *state;
	char host[64];
	int fd;

	snprintf(host, sizeof(host), "127.0.0.1:%d", served->port);
	assert_status(ask_tcp(served, "GET", "/metrics", host), 200);
	assert_error(ask_tcp(served, "GET", "/metrics", "evil.example"), 403, "not_permitted");
	assert_error(ask_tcp(served, "GET", "/-/healthy", "evil.example"), 403, "not_permitted");
	assert_error(ask_tcp(served, "GET", "/metrics", NULL), 403, "not_permitted");
	fd = connect_tcp(served->port);
	send_text(fd, "GET /metrics HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n"
		      "Connection: close\r\n\r\n");
	assert_error(read_reply(fd), 403, "not_permitted");
	close(fd);
}

static void test_another_user_sees_its_own_processes_alone(void **state)
{
	struct served *served = *state;
	struct reply reply =
		ask_as(served, FAKE_NOBODY_UID, FAKE_NOBODY_UID, 0, NULL, "/api/v1/processes");

	assert_int_equal(reply.status, 200);
	assert_non_null(strstr(reply.body, "\"pid\":200,"));
	assert_null(strstr(reply.body, "\"pid\":100,"));
	reply_free(&reply);
	assert_int_equal(served->state.viewer.uid, FAKE_NOBODY_UID);
	assert_false(served->state.viewer.sees_all);
	assert_error(
		ask_as(served, FAKE_NOBODY_UID, FAKE_NOBODY_UID, 0, NULL, "/api/v1/processes/100"),
		403, "not_permitted");
	assert_status(
		ask_as(served, FAKE_NOBODY_UID, FAKE_NOBODY_UID, 0, NULL, "/api/v1/processes/200"),
		200);
}

static void test_root_and_the_group_see_all_processes(void **state)
{
	struct served *served = *state;
	gid_t daemon_gid = 1; /* of the group "daemon" */
	struct reply reply = ask_as(served, FAKE_NOBODY_UID, FAKE_NOBODY_UID, 1, &daemon_gid,
				    "/api/v1/processes");

	assert_non_null(strstr(reply.body, "\"pid\":100,"));
	reply_free(&reply);
	assert_true(served->state.viewer.sees_all);
	assert_int_equal(served->state.viewer.uid, FAKE_NOBODY_UID);
	reply = ask_unix(served, "GET", "/api/v1/processes");
	assert_non_null(strstr(reply.body, "\"pid\":100,"));
	reply_free(&reply);
}

#define SERVER_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SERVER_TEST(test_both_listeners_say_healthy_and_ready),
		SERVER_TEST(test_each_error_of_a_view_has_its_status),
		SERVER_TEST(test_the_words_of_a_view_reach_the_client),
		SERVER_TEST(test_requests_that_are_wrong_are_told_why),
		SERVER_TEST(test_a_body_is_refused),
		SERVER_TEST(test_arguments_reach_the_views),
		SERVER_TEST(test_a_method_that_is_not_taken_is_told_which_are),
		SERVER_TEST(test_head_has_the_headers_alone),
		SERVER_TEST(test_metrics_come_in_the_format_asked_for),
		SERVER_TEST(test_tcp_serves_four_paths_and_no_more),
		SERVER_TEST(test_tcp_answers_only_to_our_names),
		SERVER_TEST(test_another_user_sees_its_own_processes_alone),
		SERVER_TEST(test_root_and_the_group_see_all_processes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
