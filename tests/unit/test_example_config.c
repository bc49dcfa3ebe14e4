/* SPDX-License-Identifier: Apache-2.0 */
/* deploy/memwatchd.conf shows every key, and each with its default. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* Tests run in the root of the source tree. */
#define EXAMPLE "deploy/memwatchd.conf"

/* A value that no default has, so that a key which the example lacks is seen. */
static void set_everything_else(struct config *config)
{
	memset(config, 'x', sizeof(*config));
	config->socket_path[sizeof(config->socket_path) - 1] = '\0';
	config->socket_group[sizeof(config->socket_group) - 1] = '\0';
	config->listen[sizeof(config->listen) - 1] = '\0';
	config->state_dir[sizeof(config->state_dir) - 1] = '\0';
}

static void test_every_key_of_the_example_is_there_with_its_default(void **state)
{
	struct config defaults;
	struct config example;
	struct config_error error = {""};

	(void)state;
	config_set_defaults(&defaults);
	set_everything_else(&example);
	if (config_read_file(&example, EXAMPLE, &error) != 0)
		fail_msg("%s", error.message);

	assert_string_equal(example.socket_path, defaults.socket_path);
	assert_string_equal(example.socket_group, defaults.socket_group);
	assert_string_equal(example.listen, defaults.listen);
	assert_string_equal(example.state_dir, defaults.state_dir);
	assert_int_equal(example.log_level, defaults.log_level);
	assert_int_equal(example.sampling_interval_bytes, defaults.sampling_interval_bytes);
	assert_string_equal(example.attach_backend, defaults.attach_backend);
	assert_int_equal(example.budget_by_hand_percent, defaults.budget_by_hand_percent);
	assert_int_equal(example.budget_by_policy_percent, defaults.budget_by_policy_percent);
	assert_int_equal(example.retry_seconds, defaults.retry_seconds);
	assert_int_equal(example.blocks_max, defaults.blocks_max);
	assert_int_equal(example.sites_max, defaults.sites_max);
	assert_int_equal(example.targets_max, defaults.targets_max);
	assert_int_equal(example.ring_buffer_bytes, defaults.ring_buffer_bytes);
	assert_int_equal(example.symbol_cache_bytes, defaults.symbol_cache_bytes);
	assert_string_equal(example.debuginfod_urls, defaults.debuginfod_urls);
	assert_int_equal(example.debuginfod_cache_bytes, defaults.debuginfod_cache_bytes);
	assert_int_equal(example.debuginfod_seconds, defaults.debuginfod_seconds);
	assert_int_equal(example.ended_targets_max, defaults.ended_targets_max);
	assert_int_equal(example.ooms_max, defaults.ooms_max);
	assert_int_equal(example.metrics_processes_max, defaults.metrics_processes_max);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_key_of_the_example_is_there_with_its_default),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
