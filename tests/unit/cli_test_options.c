/* SPDX-License-Identifier: Apache-2.0 */
#include "options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

enum { PID, FOR, SORT, ALL, INTERVAL, OPTION_COUNT_OF_TEST };

static const char *const sorts[] = {"outstanding", "allocated", NULL};

struct fixture {
	struct option options[OPTION_COUNT_OF_TEST];
	struct option operand;
	struct options_global global;
	struct options_line line;
	int exit_code;
};

static void fixture_reset(struct fixture *fixture)
{
	*fixture = (struct fixture){
		.options =
			{
				[PID] = OPTION_PID("the process"),
				[FOR] = {.name = "--for",
					 .value_name = "SECONDS",
					 .kind = OPTION_SECONDS,
					 .maximum = 100,
					 .seconds = 30,
					 .help = "so long"},
				[SORT] = {.name = "--sort",
					  .value_name = "KEY",
					  .kind = OPTION_CHOICE,
					  .choices = sorts,
					  .help = "by this"},
				[ALL] = {.name = "--all", .help = "all"},
				[INTERVAL] = {.name = "--interval",
					      .value_name = "BYTES",
					      .kind = OPTION_BYTES,
					      .minimum = 1,
					      .maximum = 1u << 30,
					      .help = "bytes"},
			},
		.operand = {.name = "ID", .kind = OPTION_COUNT, .minimum = 1, .maximum = 9},
	};
	options_global_init(&fixture->global);
	fixture->line = (struct options_line){.command = "test",
					      .description = "Tests.",
					      .options = fixture->options,
					      .option_count = OPTION_COUNT_OF_TEST};
}

/* words ends in NULL. */
static bool parse(struct fixture *fixture, char **words)
{
	int count = 0;

	while (words[count])
		count++;
	return options_parse(&fixture->line, &fixture->global, count, words, NULL,
			     &fixture->exit_code);
}

#define PARSE(fixture, ...) parse(fixture, (char *[]){"test", __VA_ARGS__, NULL})

static void test_options_take_their_values_in_both_forms(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_reset(&fixture);
	assert_true(PARSE(&fixture, "--pid", "42", "--for=1.5", "--sort", "allocated", "--all",
			  "--interval", "64KiB"));
	assert_int_equal(fixture.options[PID].count, 42);
	assert_true(fixture.options[FOR].seconds == 1.5);
	assert_string_equal(fixture.options[SORT].string, "allocated");
	assert_true(fixture.options[ALL].is_set);
	assert_int_equal(fixture.options[INTERVAL].count, 65536);
}

static void test_options_not_given_keep_their_defaults(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_reset(&fixture);
	assert_true(PARSE(&fixture, "--pid", "42"));
	assert_true(fixture.options[FOR].seconds == 30);
	assert_false(fixture.options[FOR].is_set);
	assert_false(fixture.options[ALL].is_set);
}

static void test_global_options_stand_anywhere(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_reset(&fixture);
	assert_true(PARSE(&fixture, "--json", "--pid", "42", "--socket", "/tmp/s"));
	assert_true(options_is_json(&fixture.global));
	assert_string_equal(options_socket_path(&fixture.global), "/tmp/s");
}

static void test_the_socket_comes_from_option_then_environment_then_default(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_reset(&fixture);
	unsetenv("MEMWATCH_SOCKET");
	assert_string_equal(options_socket_path(&fixture.global), "/run/memwatch/memwatchd.sock");
	setenv("MEMWATCH_SOCKET", "/tmp/environment", 1);
	assert_string_equal(options_socket_path(&fixture.global), "/tmp/environment");
	assert_true(PARSE(&fixture, "--pid", "42", "--socket=/tmp/option"));
	assert_string_equal(options_socket_path(&fixture.global), "/tmp/option");
}

static void test_wrong_words_are_usage_errors(void **state)
{
	static char *const wrong[][5] = {
		{"test", NULL},
		{"test", "--pid", NULL},
		{"test", "--pid", "0", NULL},
		{"test", "--pid", "99999999", NULL},
		{"test", "--pid", "x", NULL},
		{"test", "--pid=1", "--for", "101", NULL},
		{"test", "--pid=1", "--sort=size", NULL},
		{"test", "--pid=1", "--all=yes", NULL},
		{"test", "--pid=1", "--interval=0", NULL},
		{"test", "--pid=1", "--interval=1T", NULL},
		{"test", "--pid=1", "--frob", NULL},
		{"test", "--pid=1", "-x", NULL},
		{"test", "--pid=1", "operand", NULL},
		{"test", "--pid=1", "--socket=", NULL},
	};
	struct fixture fixture;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		fixture_reset(&fixture);
		assert_false(parse(&fixture, (char **)wrong[i]));
		assert_int_equal(fixture.exit_code, 2);
	}
}

static void test_an_operand_is_taken_once(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_reset(&fixture);
	fixture.line.operands = &fixture.operand;
	fixture.line.operand_count = 1;
	assert_true(PARSE(&fixture, "--pid=1", "--", "7"));
	assert_true(fixture.operand.is_set);
	assert_int_equal(fixture.operand.count, 7);
	fixture_reset(&fixture);
	fixture.line.operands = &fixture.operand;
	fixture.line.operand_count = 1;
	assert_false(PARSE(&fixture, "--pid=1", "7", "8"));
	assert_int_equal(fixture.exit_code, 2);
}

static void test_help_needs_no_required_option(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_reset(&fixture);
	assert_false(PARSE(&fixture, "--help"));
	assert_int_equal(fixture.exit_code, 0);
}

static void test_what_precedes_the_command_ends_at_it(void **state)
{
	struct fixture fixture;
	char *words[] = {"memwatchctl", "--json", "leaks", "--pid", "1", NULL};
	int argument = 0;

	(void)state;
	fixture_reset(&fixture);
	fixture.line.command = NULL;
	fixture.line.option_count = 0;
	assert_true(options_parse(&fixture.line, &fixture.global, 5, words, &argument,
				  &fixture.exit_code));
	assert_int_equal(argument, 2);
	assert_true(options_is_json(&fixture.global));
}

static void test_a_program_to_run_keeps_its_own_options(void **state)
{
	struct fixture fixture;
	char *words[] = {"test", "--pid", "1", "ls", "--all", "--help", NULL};
	char *divided[] = {"test", "--pid=1", "--", "--json", "--", NULL};
	int argument = 0;

	(void)state;
	fixture_reset(&fixture);
	fixture.line.takes_command = true;
	assert_true(options_parse(&fixture.line, &fixture.global, 6, words, &argument,
				  &fixture.exit_code));
	assert_int_equal(argument, 3);
	assert_false(fixture.options[ALL].is_set);
	fixture_reset(&fixture);
	fixture.line.takes_command = true;
	assert_true(options_parse(&fixture.line, &fixture.global, 5, divided, &argument,
				  &fixture.exit_code));
	assert_int_equal(argument, 3);
	assert_false(options_is_json(&fixture.global));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_options_take_their_values_in_both_forms),
		cmocka_unit_test(test_options_not_given_keep_their_defaults),
		cmocka_unit_test(test_global_options_stand_anywhere),
		cmocka_unit_test(test_the_socket_comes_from_option_then_environment_then_default),
		cmocka_unit_test(test_wrong_words_are_usage_errors),
		cmocka_unit_test(test_an_operand_is_taken_once),
		cmocka_unit_test(test_help_needs_no_required_option),
		cmocka_unit_test(test_what_precedes_the_command_ends_at_it),
		cmocka_unit_test(test_a_program_to_run_keeps_its_own_options),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
