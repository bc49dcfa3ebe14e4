/* SPDX-License-Identifier: Apache-2.0 */
#include "number.h"

#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_bytes_have_binary_units_and_three_digits(void **state)
{
	(void)state;
	assert_string_equal(number_bytes(0).text, "0 B");
	assert_string_equal(number_bytes(1023).text, "1023 B");
	assert_string_equal(number_bytes(1024).text, "1.00 KiB");
	assert_string_equal(number_bytes(65536).text, "64.0 KiB");
	assert_string_equal(number_bytes(122683392).text, "117 MiB");
	assert_string_equal(number_bytes(9.996 * 1024).text, "10.0 KiB");
	assert_string_equal(number_bytes(0x1p64).text, "16.0 EiB");
	assert_string_equal(number_bytes(0x1p90).text, "1073741824 EiB");
}

static void test_bytes_never_round_up_to_1024_of_a_unit(void **state)
{
	(void)state;
	assert_string_equal(number_bytes(1023.7 * 1024).text, "1.00 MiB");
	assert_string_equal(number_bytes(1023.7).text, "1.00 KiB");
}

static void test_bytes_may_be_negative_or_no_number(void **state)
{
	(void)state;
	assert_string_equal(number_bytes(-2048).text, "-2.00 KiB");
	assert_string_equal(number_bytes(-0.4).text, "0 B");
	assert_string_equal(number_bytes(INFINITY).text, "?");
	assert_string_equal(number_bytes(NAN).text, "?");
}

static void test_rates_say_their_direction(void **state)
{
	(void)state;
	assert_string_equal(number_rate(20971520).text, "+20.0 MiB/s");
	assert_string_equal(number_rate(-3).text, "-3 B/s");
	assert_string_equal(number_rate(0).text, "0 B/s");
}

static void test_counts_are_grouped(void **state)
{
	(void)state;
	assert_string_equal(number_count(0).text, "0");
	assert_string_equal(number_count(999).text, "999");
	assert_string_equal(number_count(1000).text, "1,000");
	assert_string_equal(number_count(1234567.4).text, "1,234,567");
	assert_string_equal(number_count(-1234).text, "-1,234");
	assert_string_equal(number_count(1e300).text, "?");
}

static void test_durations_read_as_people_say_them(void **state)
{
	(void)state;
	assert_string_equal(number_seconds(0.25).text, "0.2 s");
	assert_string_equal(number_seconds(9).text, "9 s");
	assert_string_equal(number_seconds(30.1).text, "30 s");
	assert_string_equal(number_seconds(59.7).text, "1 min 0 s");
	assert_string_equal(number_seconds(95).text, "1 min 35 s");
	assert_string_equal(number_seconds(7260).text, "2 h 1 min");
	assert_string_equal(number_seconds(93784).text, "1 d 2 h");
	assert_string_equal(number_seconds(1e300).text, "?");
}

static void test_shares_are_percentages(void **state)
{
	(void)state;
	assert_string_equal(number_share(0).text, "0.0%");
	assert_string_equal(number_share(0.0001).text, "<0.1%");
	assert_string_equal(number_share(0.012).text, "1.2%");
	assert_string_equal(number_share(0.35).text, "35%");
}

static void test_sizes_are_read_with_and_without_units(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} good[] = {
		{"1", 1},         {"4096", 4096},    {"4096B", 4096},
		{"64KiB", 65536}, {"64k", 65536},    {"64KB", 65536},
		{"1M", 1048576},  {"1mib", 1048576}, {"1GiB", 1u << 30},
	};
	static const char *const bad[] = {"",     "KiB", "-1",    "+1",  " 1",
					  "1.5M", "1T",  "1KiBs", "0x10"};
	uint64_t bytes;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(number_parse_bytes(good[i].text, 1, 1u << 30, &bytes), 0);
		assert_int_equal(bytes, good[i].bytes);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(number_parse_bytes(bad[i], 1, 1u << 30, &bytes), -EINVAL);
	assert_int_equal(number_parse_bytes("0", 1, 1u << 30, &bytes), -ERANGE);
	assert_int_equal(number_parse_bytes("2GiB", 1, 1u << 30, &bytes), -ERANGE);
	assert_int_equal(number_parse_bytes("18446744073709551615K", 1, UINT64_MAX, &bytes),
			 -ERANGE);
	assert_int_equal(number_parse_bytes("18446744073709551616", 1, UINT64_MAX, &bytes),
			 -ERANGE);
}

static void test_counts_and_seconds_take_plain_numbers_only(void **state)
{
	uint64_t count;
	double seconds;

	(void)state;
	assert_int_equal(number_parse_count("42", 1, 100, &count), 0);
	assert_int_equal(count, 42);
	assert_int_equal(number_parse_count("0", 1, 100, &count), -ERANGE);
	assert_int_equal(number_parse_count("101", 1, 100, &count), -ERANGE);
	assert_int_equal(number_parse_count("-1", 0, 100, &count), -EINVAL);
	assert_int_equal(number_parse_count("4x", 0, 100, &count), -EINVAL);
	assert_int_equal(number_parse_count("", 0, 100, &count), -EINVAL);

	assert_int_equal(number_parse_seconds("0", 100, &seconds), 0);
	assert_true(seconds == 0);
	assert_int_equal(number_parse_seconds("1.5", 100, &seconds), 0);
	assert_true(seconds == 1.5);
	assert_int_equal(number_parse_seconds("101", 100, &seconds), -ERANGE);
	assert_int_equal(number_parse_seconds("-1", 100, &seconds), -EINVAL);
	assert_int_equal(number_parse_seconds("inf", 100, &seconds), -EINVAL);
	assert_int_equal(number_parse_seconds("1e1", 100, &seconds), -EINVAL);
	assert_int_equal(number_parse_seconds("1.2.3", 100, &seconds), -EINVAL);
	assert_int_equal(number_parse_seconds(".", 100, &seconds), -EINVAL);
	assert_int_equal(number_parse_seconds("", 100, &seconds), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes_have_binary_units_and_three_digits),
		cmocka_unit_test(test_bytes_never_round_up_to_1024_of_a_unit),
		cmocka_unit_test(test_bytes_may_be_negative_or_no_number),
		cmocka_unit_test(test_rates_say_their_direction),
		cmocka_unit_test(test_counts_are_grouped),
		cmocka_unit_test(test_durations_read_as_people_say_them),
		cmocka_unit_test(test_shares_are_percentages),
		cmocka_unit_test(test_sizes_are_read_with_and_without_units),
		cmocka_unit_test(test_counts_and_seconds_take_plain_numbers_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
