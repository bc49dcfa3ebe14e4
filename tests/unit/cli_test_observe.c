/* SPDX-License-Identifier: Apache-2.0 */
/* Observing, with time and daemon of the test's own (see cli.mk): an hour passes in no time. */
#include "observe.h"

#include "text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static struct {
	double now_seconds;
	double lease_end_seconds;
	double look_fails_at_seconds;
	double signal_at_seconds;
	const char *error_code;
	const char *process;
	const char *first_lease;
	const char *renewed_lease;
	size_t puts, deletes;
	char last_put[200];
	char last_delete[200];
} world;

int __wrap_clock_gettime(clockid_t clock, struct timespec *now);
void __wrap_interrupt_wait(struct interrupt *interrupt, double seconds);
int __wrap_client_request(struct client *client, enum client_method method, const char *path,
			  struct client_answer *answer, struct client_error *error);

int __wrap_clock_gettime(clockid_t clock, struct timespec *now)
{
	assert_int_equal(clock, CLOCK_MONOTONIC);
	now->tv_sec = (time_t)world.now_seconds;
	now->tv_nsec = (long)((world.now_seconds - (double)now->tv_sec) * 1e9);
	return 0;
}

void __wrap_interrupt_wait(struct interrupt *interrupt, double seconds)
{
	world.now_seconds += seconds;
	if (world.now_seconds >= world.signal_at_seconds)
		interrupt->count++;
}

static void answer_put(const char *path)
{
	double lease_seconds = 0;

	assert_int_equal(sscanf(strstr(path, "lease="), "lease=%lf", &lease_seconds), 1);
	if (world.puts > 0)
		assert_true(world.now_seconds < world.lease_end_seconds);
	world.lease_end_seconds = world.now_seconds + lease_seconds;
	world.puts++;
	snprintf(world.last_put, sizeof(world.last_put), "%s", path);
}

int __wrap_client_request(struct client *client, enum client_method method, const char *path,
			  struct client_answer *answer, struct client_error *error)
{
	const char *body = "{}";

	(void)client;
	if (method == CLIENT_PUT) {
		body = world.puts == 0 ? world.first_lease : world.renewed_lease;
		answer_put(path);
	} else if (method == CLIENT_DELETE) {
		world.deletes++;
		snprintf(world.last_delete, sizeof(world.last_delete), "%s", path);
	} else if (world.now_seconds >= world.look_fails_at_seconds && world.error_code) {
		snprintf(error->code, sizeof(error->code), "%s", world.error_code);
		snprintf(error->message, sizeof(error->message), "as the test wants it");
		return -1;
	} else {
		assert_true(world.now_seconds < world.lease_end_seconds);
		body = world.process;
	}
	*answer =
		(struct client_answer){.body = text_format("%s", body), .json = cJSON_Parse(body)};
	return 0;
}

static enum observe_result observe(double seconds, struct observation *observation)
{
	static struct interrupt interrupt;
	struct client_error error;
	enum observe_result result;

	interrupt = (struct interrupt){0};
	*observation = (struct observation){.interrupt = &interrupt,
					    .pid = 42,
					    .seconds = seconds,
					    .budget_arguments = "&budget=5"};
	/* observe_end() tells the client that it may not be interrupted any more. */
	observation->client = client_new("/nowhere");
	assert_int_equal(observe_begin(observation, &error), 0);
	result = observe_wait(observation);
	observe_end(observation);
	client_free(observation->client);
	return result;
}

static int reset(void **state)
{
	(void)state;
	memset(&world, 0, sizeof(world));
	world.now_seconds = 1000;
	world.look_fails_at_seconds = 1e9;
	world.signal_at_seconds = 1e9;
	world.first_lease = "{\"pid\": 42, \"lease_id\": 7}";
	world.renewed_lease = world.first_lease;
	world.process = "{\"pid\": 42, \"comm\": \"x\", \"target\": {\"ended\": false}}";
	return 0;
}

static void test_a_short_observation_takes_one_lease_and_gives_it_back(void **state)
{
	struct observation observation;

	(void)state;
	assert_int_equal(observe(30, &observation), OBSERVE_COMPLETE);
	assert_true(world.now_seconds >= 1030 && world.now_seconds < 1031);
	assert_int_equal(world.puts, 1);
	assert_string_equal(world.last_put, "/api/v1/processes/42/watch?lease=45&budget=5");
	assert_int_equal(world.deletes, 1);
	assert_string_equal(world.last_delete, "/api/v1/processes/42/watch?lease_id=7");
}

static void test_a_long_observation_renews_its_lease_in_time(void **state)
{
	struct observation observation;

	(void)state;
	assert_int_equal(observe(3600, &observation), OBSERVE_COMPLETE);
	assert_true(world.puts >= 3600 / 60 && world.puts <= 3600 / 30);
	assert_non_null(strstr(world.last_put, "&lease_id=7"));
	assert_int_equal(world.deletes, 1);
	assert_true(world.lease_end_seconds <= 4600 + 75);
}

static void test_the_lease_given_last_is_the_one_given_back(void **state)
{
	struct observation observation;

	(void)state;
	world.renewed_lease = "{\"pid\": 42, \"lease_id\": 8}";
	assert_int_equal(observe(100, &observation), OBSERVE_COMPLETE);
	assert_true(world.puts > 1);
	assert_string_equal(world.last_delete, "/api/v1/processes/42/watch?lease_id=8");
}

static void test_an_exit_ends_the_observation(void **state)
{
	struct observation observation;

	(void)state;
	world.look_fails_at_seconds = 1010;
	world.error_code = "no_such_process";
	assert_int_equal(observe(30, &observation), OBSERVE_ENDED);
	assert_true(world.now_seconds < 1012);
	assert_int_equal(world.deletes, 1);
}

static void test_the_end_of_the_watch_ends_the_observation(void **state)
{
	static const char *const ends[] = {
		"{\"pid\": 42, \"target\": {\"ended\": true}}",
		"{\"pid\": 42, \"target\": null}",
	};
	struct observation observation;

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		reset(state);
		world.process = ends[i];
		assert_int_equal(observe(30, &observation), OBSERVE_ENDED);
		assert_int_equal(world.deletes, 1);
	}
}

static void test_a_failing_daemon_ends_the_observation_with_its_reason(void **state)
{
	struct observation observation;

	(void)state;
	world.look_fails_at_seconds = 1010;
	world.error_code = "internal";
	assert_int_equal(observe(30, &observation), OBSERVE_FAILED);
	assert_string_equal(observation.error.message, "as the test wants it");
	assert_int_equal(world.deletes, 1);
}

static void test_a_signal_ends_the_observation(void **state)
{
	struct observation observation;

	(void)state;
	world.signal_at_seconds = 1005;
	assert_int_equal(observe(30, &observation), OBSERVE_INTERRUPTED);
	assert_true(world.now_seconds < 1007);
	assert_int_equal(world.deletes, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_a_short_observation_takes_one_lease_and_gives_it_back,
				       reset),
		cmocka_unit_test_setup(test_a_long_observation_renews_its_lease_in_time, reset),
		cmocka_unit_test_setup(test_the_lease_given_last_is_the_one_given_back, reset),
		cmocka_unit_test_setup(test_an_exit_ends_the_observation, reset),
		cmocka_unit_test_setup(test_the_end_of_the_watch_ends_the_observation, reset),
		cmocka_unit_test_setup(test_a_failing_daemon_ends_the_observation_with_its_reason,
				       reset),
		cmocka_unit_test_setup(test_a_signal_ends_the_observation, reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
