/* SPDX-License-Identifier: Apache-2.0 */
#include "symbol/address_space.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h wants the four above. */
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

static char buffer[256];

static int parse(const char *line, struct address_range *range)
{
	snprintf(buffer, sizeof(buffer), "%s", line);
	return address_range_parse(buffer, range);
}

static void test_file_mapping_is_read_whole(void **state)
{
	struct address_range range;

	(void)state;
	assert_int_equal(parse("7f2a4c028000-7f2a4c17d000 r-xp 00026000 fe:01 1835082"
			       "                    /usr/lib/x86_64-linux-gnu/libc.so.6",
			       &range),
			 0);
	assert_int_equal(range.start, 0x7f2a4c028000);
	assert_int_equal(range.end, 0x7f2a4c17d000);
	assert_int_equal(range.file_offset, 0x26000);
	assert_int_equal(range.device_major, 0xfe);
	assert_int_equal(range.device_minor, 1);
	assert_int_equal(range.inode, 1835082);
	assert_true(range.is_readable);
	assert_false(range.is_writable);
	assert_true(range.is_executable);
	assert_false(range.is_shared);
	assert_false(range.is_deleted);
	assert_string_equal(range.path, "/usr/lib/x86_64-linux-gnu/libc.so.6");
}

static void test_anonymous_mapping_has_no_path(void **state)
{
	struct address_range range;

	(void)state;
	assert_int_equal(parse("7ffd0000-7ffe0000 rw-s 00000000 00:00 0 ", &range), 0);
	assert_string_equal(range.path, "");
	assert_true(range.is_writable);
	assert_true(range.is_shared);
	assert_int_equal(parse("7ffd0000-7ffe0000 ---p 00000000 00:00 0", &range), 0);
	assert_string_equal(range.path, "");
	assert_false(range.is_readable);
}

static void test_kernel_names_are_kept(void **state)
{
	struct address_range range;

	(void)state;
	assert_int_equal(parse("ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0"
			       "                  [vsyscall]",
			       &range),
			 0);
	assert_int_equal(range.end, 0xffffffffff601000);
	assert_string_equal(range.path, "[vsyscall]");
}

static void test_deleted_is_cut_off_and_told(void **state)
{
	struct address_range range;

	(void)state;
	assert_int_equal(parse("1000-2000 r-xp 00000000 08:01 77   /opt/a b (deleted)", &range), 0);
	assert_true(range.is_deleted);
	assert_string_equal(range.path, "/opt/a b");
	assert_int_equal(parse("1000-2000 r-xp 00000000 08:01 77   /x (deleted) (deleted)", &range),
			 0);
	assert_string_equal(range.path, "/x (deleted)");
}

static void test_escaped_newlines_are_decoded(void **state)
{
	struct address_range range;

	(void)state;
	assert_int_equal(parse("1000-2000 r-xp 00000000 08:01 77   /opt/a\\012b\\012", &range), 0);
	assert_string_equal(range.path, "/opt/a\nb\n");
	assert_int_equal(parse("1000-2000 r-xp 00000000 08:01 77   /opt/a\\01\\x\\", &range), 0);
	assert_string_equal(range.path, "/opt/a\\01\\x\\");
}

static void test_what_is_no_line_is_refused(void **state)
{
	static const char *const lines[] = {
		"",
		" ",
		"1000",
		"1000-",
		"1000-2000",
		"1000-2000 r-x",
		"1000-2000 r-xp",
		"1000-2000 rwxq 00000000 00:00 0",
		"1000-2000 xr-p 00000000 00:00 0",
		"1000-2000 r-xp 00000000 0000 0",
		"1000-2000 r-xp 00000000 00:00",
		"1000-2000 r-xp 00000000 00:00 ",
		"1000-2000 r-xp 00000000 00:00 12x /a",
		"1000-2000 r-xp 00000000 100000000:00 1 /a",
		"2000-1000 r-xp 00000000 00:00 0",
		"1000-1000 r-xp 00000000 00:00 0",
		"11112222333344445-2222222233333333444 r-xp 00000000 00:00 0",
		"1000-2000 r-xp 00000000 00:00 99999999999999999999999 /a",
		"-1000 r-xp 00000000 00:00 0",
		"g000-h000 r-xp 00000000 00:00 0",
	};
	struct address_range range, untouched;

	(void)state;
	memset(&range, 0x5a, sizeof(range));
	untouched = range;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		assert_int_equal(parse(lines[i], &range), -EINVAL);
		assert_memory_equal(&range, &untouched, sizeof(range));
	}
}

static void test_every_line_of_this_process_is_read(void **state)
{
	struct address_range range;
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[8192];
	size_t lines = 0;

	(void)state;
	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps)) {
		line[strcspn(line, "\n")] = '\0';
		assert_int_equal(address_range_parse(line, &range), 0);
		lines++;
	}
	fclose(maps);
	assert_true(lines > 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_file_mapping_is_read_whole),
		cmocka_unit_test(test_anonymous_mapping_has_no_path),
		cmocka_unit_test(test_kernel_names_are_kept),
		cmocka_unit_test(test_deleted_is_cut_off_and_told),
		cmocka_unit_test(test_escaped_newlines_are_decoded),
		cmocka_unit_test(test_what_is_no_line_is_refused),
		cmocka_unit_test(test_every_line_of_this_process_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
