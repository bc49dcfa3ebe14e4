/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NAME "/etc/memwatch/memwatchd.conf"

static int parse(struct config *config, const char *text, struct config_error *error)
{
	error->message[0] = '\0';
	config_set_defaults(config);
	return config_parse(config, NAME, text, strlen(text), error);
}

static void assert_error(const char *text, const char *message)
{
	struct config config;
	struct config before;
	struct config_error error;

	config_set_defaults(&before);
	assert_int_not_equal(parse(&config, text, &error), 0);
	assert_string_equal(error.message, message);
	assert_memory_equal(&config, &before, sizeof(config));
}

static void test_defaults_are_those_of_the_contract(void **state)
{
	struct config config;

	(void)state;
	config_set_defaults(&config);
	assert_string_equal(config.socket_path, "/run/memwatch/memwatchd.sock");
	assert_string_equal(config.socket_group, "memwatch");
	assert_string_equal(config.listen, "127.0.0.1:9735");
	assert_string_equal(config.state_dir, "/var/lib/memwatch");
	assert_int_equal(config.log_level, LOG_LEVEL_INFO);
	assert_int_equal(config.sampling_interval_bytes, 65536);
	assert_int_equal(config.budget_by_hand_percent, 30);
	assert_int_equal(config.budget_by_policy_percent, 3);
	assert_int_equal(config.retry_seconds, 10);
	assert_int_equal(config.blocks_max, 1048576);
	assert_int_equal(config.sites_max, 32768);
	assert_int_equal(config.targets_max, 64);
	assert_int_equal(config.ring_buffer_bytes, 4 << 20);
	assert_int_equal(config.symbol_cache_bytes, 16 << 20);
	assert_string_equal(config.debuginfod_urls, "");
	assert_int_equal(config.debuginfod_cache_bytes, 1 << 30);
	assert_int_equal(config.debuginfod_seconds, 90);
	assert_int_equal(config.ended_targets_max, 16);
	assert_int_equal(config.ooms_max, 64);
	assert_int_equal(config.metrics_processes_max, 20);
}

static void test_every_key_is_read(void **state)
{
	struct config config;
	struct config_error error;

	(void)state;
	assert_int_equal(parse(&config,
			       "# memwatchd\n"
			       "socket=/tmp/a#b.sock\n"
			       "  socket_group =  adm  # a comment\r\n"
			       "listen = [::1]:80\n"
			       "\n"
			       "state_dir\t=\t/srv/a folder/x=y\n"
			       "log_level = debug\n"
			       "sampling_interval = 1\n"
			       "attach_backend = perf\n"
			       "budget_by_hand_percent = 100\n"
			       "budget_by_policy_percent = 1\n"
			       "retry_seconds = 3600\n"
			       "blocks_max = 64\n"
			       "sites_max = 1000\n"
			       "targets_max = 1024\n"
			       "ring_buffer = 64k\n"
			       "symbol_cache = 2 GiB\n"
			       "debuginfod_urls = http://a.example:8002 https://b.example/x # two\n"
			       "debuginfod_cache = 1MiB\n"
			       "debuginfod_seconds = 3600\n"
			       "ended_targets_max = 0\n"
			       "ooms_max = 1\n"
			       "#ooms_max = 2\n"
			       "metrics_processes_max = 7",
			       &error),
			 0);
	assert_string_equal(config.socket_path, "/tmp/a#b.sock");
	assert_string_equal(config.socket_group, "adm");
	assert_string_equal(config.listen, "[::1]:80");
	assert_string_equal(config.state_dir, "/srv/a folder/x=y");
	assert_int_equal(config.log_level, LOG_LEVEL_DEBUG);
	assert_int_equal(config.sampling_interval_bytes, 1);
	assert_string_equal(config.attach_backend, "perf");
	assert_int_equal(config.budget_by_hand_percent, 100);
	assert_int_equal(config.budget_by_policy_percent, 1);
	assert_int_equal(config.retry_seconds, 3600);
	assert_int_equal(config.blocks_max, 64);
	assert_int_equal(config.sites_max, 1000);
	assert_int_equal(config.targets_max, 1024);
	assert_int_equal(config.ring_buffer_bytes, 65536);
	assert_int_equal(config.symbol_cache_bytes, UINT64_C(2) << 30);
	assert_string_equal(config.debuginfod_urls, "http://a.example:8002 https://b.example/x");
	assert_int_equal(config.debuginfod_cache_bytes, 1 << 20);
	assert_int_equal(config.debuginfod_seconds, 3600);
	assert_int_equal(config.ended_targets_max, 0);
	assert_int_equal(config.ooms_max, 1);
	assert_int_equal(config.metrics_processes_max, 7);
}

static void test_error_names_file_line_key_and_what_would_be_right(void **state)
{
	(void)state;
	assert_error("\n\nsampling_interval = 64 kilo\n",
		     NAME ":3: sampling_interval: \"64 kilo\" is no size (a number with an "
			  "optional KiB, MiB or GiB, e.g. 64KiB)");
	assert_error("log_level = loud",
		     NAME ":1: log_level: \"loud\" is no log level (error, warning, info or "
			  "debug)");
	assert_error("attach_backend = kprobe",
		     NAME ":1: attach_backend: \"kprobe\" is no attach back end (auto, session, "
			  "multi or perf)");
	assert_error("socket = run/x.sock",
		     NAME ":1: socket: \"run/x.sock\" is no absolute path (it begins with /)");
	assert_error("targets_max = -1",
		     NAME ":1: targets_max: \"-1\" is no number (digits alone, e.g. 64)");
	assert_error("listen 127.0.0.1:9735",
		     NAME ":1: \"listen 127.0.0.1:9735\" is no setting (write key = value)");
	assert_error("= 7", NAME ":1: \"= 7\" is no setting (write key = value)");
	assert_error("ooms_max =", NAME ":1: ooms_max: \"\" is no number (digits alone, e.g. 64)");
	assert_error("socket_group = 104",
		     NAME ":1: socket_group: \"104\" is no group name (letters, digits, _ . -, "
			  "e.g. memwatch)");
}

static void test_error_says_the_allowed_range(void **state)
{
	(void)state;
	assert_error("targets_max = 1025",
		     NAME ":1: targets_max: \"1025\" is out of range (1 to 1024)");
	assert_error("targets_max = 0", NAME ":1: targets_max: \"0\" is out of range (1 to 1024)");
	assert_error("blocks_max = 99999999999999999999999999",
		     NAME ":1: blocks_max: \"99999999999999999999999999\" is out of range (64 to "
			  "64000000)");
	assert_error("ring_buffer = 3MiB",
		     NAME ":1: ring_buffer: \"3MiB\" is out of range (64KiB to 256MiB, a power of "
			  "two)");
	assert_error("ring_buffer = 4KiB",
		     NAME ":1: ring_buffer: \"4KiB\" is out of range (64KiB to 256MiB, a power of "
			  "two)");
	assert_error("sampling_interval = 0",
		     NAME ":1: sampling_interval: \"0\" is out of range (1 to 1GiB)");
	assert_error("listen = 127.0.0.1:0",
		     NAME ":1: listen: \"127.0.0.1:0\" is out of range (a port of 1 to 65535)");
}

static void test_path_that_does_not_fit_is_refused(void **state)
{
	struct config config;
	struct config_error error;
	char path[200];

	(void)state;
	memset(path, 'x', sizeof(path));
	path[0] = '/';
	path[107] = '\0';
	assert_int_equal(config_set(&config, "socket", path, &error), 0);
	path[107] = 'x';
	path[108] = '\0';
	assert_int_equal(config_set(&config, "socket", path, &error), -ERANGE);
	assert_non_null(strstr(error.message, "at most 107 bytes"));
}

static void test_unknown_key_suggests_the_nearest(void **state)
{
	(void)state;
	assert_error("sampling_intervall = 1",
		     NAME ":1: unknown key \"sampling_intervall\" (did you mean "
			  "sampling_interval?)");
	assert_error("lisetn = none", NAME ":1: unknown key \"lisetn\" (did you mean listen?)");
	assert_error("Sockets = /x", NAME ":1: unknown key \"Sockets\" (did you mean socket?)");
	assert_error("colour = red", NAME
		     ":1: unknown key \"colour\" (the keys are socket, socket_group, listen, "
		     "state_dir, log_level, sampling_interval, attach_backend, "
		     "budget_by_hand_percent, budget_by_policy_percent, retry_seconds, "
		     "blocks_max, sites_max, "
		     "targets_max, ring_buffer, symbol_cache, unwind_tables, python_codes, "
		     "debuginfod_urls, debuginfod_cache, debuginfod_seconds, ended_targets_max, "
		     "ooms_max, metrics_processes_max)");
}

static void test_servers_are_urls_without_passwords(void **state)
{
	static const char *const bad[] = {"debuginfod.example",
					  "ftp://a.example",
					  "http://",
					  "http:///x",
					  "http://u:p@a.example",
					  "http://a.example b",
					  "http://a.example\thttp://b"};
	struct config config;
	struct config_error error;

	(void)state;
	config_set_defaults(&config);
	assert_int_equal(config_set(&config, "debuginfod_urls", "", &error), 0);
	assert_int_equal(config_set(&config, "debuginfod_urls", "http://[::1]:1/", &error), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(config_set(&config, "debuginfod_urls", bad[i], &error), -EINVAL);
}

static void test_key_set_twice_is_refused(void **state)
{
	(void)state;
	assert_error("listen = none\n\nlisten = 127.0.0.1:1\n",
		     NAME ":3: listen: is already set in line 1 (keep one of them)");
}

static void test_listen_takes_addresses_and_none(void **state)
{
	static const char *const good[] = {"none",       "127.0.0.1:9735", "0.0.0.0:1",
					   "[::]:65535", "[::1]:9735",     "[2001:db8::7]:443"};
	static const char *const bad[] = {"",
					  "9735",
					  ":9735",
					  "localhost:9735",
					  "127.0.0.1",
					  "127.0.0.1:",
					  "127.0.0.1:x",
					  "::1:9735",
					  "[::1]",
					  "[]:1",
					  "[127.0.0.1]:1",
					  "127.0.0.1:+1",
					  "127.0.0.1: 1",
					  "127.1:1",
					  "[::1:1",
					  "None",
					  "[::1]]:1"};
	struct config config;
	struct config_error error;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(config_set(&config, "listen", good[i], &error), 0);
		assert_string_equal(config.listen, good[i]);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(config_set(&config, "listen", bad[i], &error), -EINVAL);
		assert_string_equal(config.listen, good[5]);
		assert_non_null(strstr(error.message, "127.0.0.1:9735, [::1]:9735, or none"));
	}
	assert_int_equal(config_set(&config, "listen", "127.0.0.1:65536", &error), -ERANGE);
}

static void test_sizes_have_units_of_1024(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} good[] = {{"0", 0},
		    {"4096", 4096},
		    {"4096B", 4096},
		    {"64KiB", 65536},
		    {"64kB", 65536},
		    {"64k", 65536},
		    {"64 KiB", 65536},
		    {"1M", 1 << 20},
		    {"1MiB", 1 << 20},
		    {"3gb", UINT64_C(3) << 30},
		    {"17179869183GiB", UINT64_C(17179869183) << 30}};
	static const char *const bad[] = {"",        "k",     "KiB", "-1", "+1",  "1.5M",   "0x10",
					  "1 K i B", "1Kib ", " 1",  "1T", "1KK", "64 kilo"};
	uint64_t bytes;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		bytes = 12345;
		assert_int_equal(config_parse_bytes(good[i].text, &bytes), 0);
		assert_int_equal(bytes, good[i].bytes);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(config_parse_bytes(bad[i], &bytes), -EINVAL);
	assert_int_equal(config_parse_bytes("17179869184GiB", &bytes), -ERANGE);
	assert_int_equal(config_parse_bytes("18446744073709551616", &bytes), -ERANGE);
	assert_int_equal(config_parse_bytes("99999999999999999999999999999999999999", &bytes),
			 -ERANGE);
}

static void test_command_line_names_the_key_alone(void **state)
{
	struct config config;
	struct config_error error;

	(void)state;
	config_set_defaults(&config);
	assert_int_equal(config_set(&config, "log_level", "chatty", &error), -EINVAL);
	assert_string_equal(error.message, "log_level: \"chatty\" is no log level (error, warning, "
					   "info or debug)");
	assert_int_equal(config_set(&config, "log-level", "info", &error), -EINVAL);
	assert_string_equal(error.message, "unknown key \"log-level\" (did you mean log_level?)");
}

static void test_binary_is_refused_and_shown_harmlessly(void **state)
{
	struct config config;
	struct config_error error;
	static const char with_nul[] = "listen = none\nlog_level = info\0debug\n";

	(void)state;
	config_set_defaults(&config);
	assert_int_equal(config_parse(&config, NAME, with_nul, sizeof(with_nul) - 1, &error),
			 -EINVAL);
	assert_string_equal(error.message, NAME ":2: byte 0x00 is no text (a configuration is a "
						"text file)");
	assert_string_equal(config.listen, "127.0.0.1:9735");
	assert_error("a = \x1b[2J", NAME ":1: byte 0x1b is no text (a configuration is a text "
					 "file)");
	assert_error("log_level = \xff\xc3",
		     NAME ":1: log_level: \"\\xff\\xc3\" is no log level (error, warning, info or "
			  "debug)");
	/* Command lines aren't checked by line. */
	assert_int_equal(config_set(&config, "log_level", "\x1b]0;x\n", &error), -EINVAL);
	assert_non_null(strstr(error.message, "\"\\x1b]0;x\\x0a\""));
}

static void test_huge_lines_and_files_are_refused(void **state)
{
	size_t size = 3 << 20;
	char *text = malloc(size);
	char path[] = "/tmp/memwatch-test-config-XXXXXX";
	int fd = mkstemp(path);
	struct config config;
	struct config_error error;

	(void)state;
	config_set_defaults(&config);
	memset(text, 'x', size);
	assert_int_equal(config_parse(&config, NAME, text, size, &error), -EINVAL);
	assert_string_equal(error.message, NAME ":1: the line is longer than 5120 bytes");
	/* Names and values are cut where they are repeated. */
	assert_int_equal(config_parse(&config, NAME, text, 5000, &error), -EINVAL);
	assert_true(strlen(error.message) < 200);
	memcpy(text, "log_level=", 10);
	assert_int_equal(config_parse(&config, NAME, text, 5000, &error), -EINVAL);
	assert_true(strlen(error.message) < 250);
	memset(text, '\n', size);
	assert_int_equal(write(fd, text, size), size);
	assert_int_equal(config_read_file(&config, path, &error), -EFBIG);
	assert_non_null(strstr(error.message, "larger than 1MiB"));
	unlink(path);
	close(fd);
	free(text);
}

static void test_longest_name_and_value_fit_the_message(void **state)
{
	struct config config;
	struct config_error error;
	char name[2000];
	char text[300];

	(void)state;
	memset(name, '/', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	memset(text, '\xff', sizeof(text));
	memcpy(text, "socket =", 8);
	config_set_defaults(&config);
	assert_int_equal(config_parse(&config, name, text, sizeof(text), &error), -EINVAL);
	assert_true(strlen(error.message) < sizeof(error.message));
	memcpy(text, "so\xffk ", 5);
	assert_int_equal(config_parse(&config, name, text, sizeof(text), &error), -EINVAL);
}

static void test_file_is_read_or_its_trouble_named(void **state)
{
	char path[] = "/tmp/memwatch-test-config-XXXXXX";
	int fd = mkstemp(path);
	struct config config;
	struct config_error error;
	char expected[128];

	(void)state;
	config_set_defaults(&config);
	assert_int_equal(write(fd, "listen = none\n", 14), 14);
	assert_int_equal(config_read_file(&config, path, &error), 0);
	assert_string_equal(config.listen, "none");
	assert_int_equal(write(fd, "nonsense\n", 9), 9);
	assert_int_equal(config_read_file(&config, path, &error), -EINVAL);
	snprintf(expected, sizeof(expected), "%s:2: \"nonsense\" is no setting (write key = value)",
		 path);
	assert_string_equal(error.message, expected);
	unlink(path);
	close(fd);
	assert_int_equal(config_read_file(&config, path, &error), -ENOENT);
	snprintf(expected, sizeof(expected),
		 "%s: cannot read the configuration: No such file or directory", path);
	assert_string_equal(error.message, expected);
	assert_int_equal(config_read_file(&config, "/tmp", &error), -EISDIR);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults_are_those_of_the_contract),
		cmocka_unit_test(test_every_key_is_read),
		cmocka_unit_test(test_error_names_file_line_key_and_what_would_be_right),
		cmocka_unit_test(test_error_says_the_allowed_range),
		cmocka_unit_test(test_path_that_does_not_fit_is_refused),
		cmocka_unit_test(test_unknown_key_suggests_the_nearest),
		cmocka_unit_test(test_servers_are_urls_without_passwords),
		cmocka_unit_test(test_key_set_twice_is_refused),
		cmocka_unit_test(test_listen_takes_addresses_and_none),
		cmocka_unit_test(test_sizes_have_units_of_1024),
		cmocka_unit_test(test_command_line_names_the_key_alone),
		cmocka_unit_test(test_binary_is_refused_and_shown_harmlessly),
		cmocka_unit_test(test_huge_lines_and_files_are_refused),
		cmocka_unit_test(test_longest_name_and_value_fit_the_message),
		cmocka_unit_test(test_file_is_read_or_its_trouble_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
