/* SPDX-License-Identifier: Apache-2.0 */
#include "text.h"

#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void assert_escaped(const char *hostile, const char *expected)
{
	char *escaped = text_escape(hostile);

	assert_string_equal(escaped, expected);
	free(escaped);
}

static void assert_cut(char *(*cut)(const char *, size_t), const char *text, size_t columns,
		       const char *expected)
{
	char *result = cut(text, columns);

	assert_string_equal(result, expected);
	assert_true(text_width(result) <= columns);
	free(result);
}

static void test_escape_leaves_names_as_they_are(void **state)
{
	(void)state;
	assert_escaped("", "");
	assert_escaped("operator<<(std::ostream&, Größe const&)",
		       "operator<<(std::ostream&, Größe const&)");
	assert_escaped("/system.slice/a\\x2db.service", "/system.slice/a\\x2db.service");
	assert_escaped("内存", "内存");
}

static void test_escape_disarms_control_characters(void **state)
{
	(void)state;
	assert_escaped("\033[2J\033]0;title\a", "\\x1b[2J\\x1b]0;title\\x07");
	assert_escaped("a\nb\tc\rd\177", "a\\nb\\tc\\x0dd\\x7f");
	/* U+009B is the one-character form of ESC [ */
	assert_escaped("\xc2\x9b"
		       "2J",
		       "\\xc2\\x9b2J");
}

static void test_escape_disarms_what_reorders_or_hides_text(void **state)
{
	(void)state;
	assert_escaped("\u202egpj.exe", "\\xe2\\x80\\xaegpj.exe");
	assert_escaped("a\u200bb", "a\\xe2\\x80\\x8bb");
	assert_escaped("a\u2028b", "a\\xe2\\x80\\xa8b");
	assert_escaped("\U000e0041", "\\xf3\\xa0\\x81\\x81");
}

static void test_escape_disarms_malformed_utf8(void **state)
{
	(void)state;
	assert_escaped("\x9b", "\\x9b");
	assert_escaped("\xc0\xaf", "\\xc0\\xaf");                   /* overlong */
	assert_escaped("\xed\xa0\x80", "\\xed\\xa0\\x80");          /* surrogate */
	assert_escaped("\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"); /* beyond U+10FFFF */
	assert_escaped("\xe2\x82", "\\xe2\\x82");                   /* cut */
	assert_escaped("\xff", "\\xff");
}

static void test_every_escaped_text_is_safe_whatever_two_bytes_it_came_from(void **state)
{
	(void)state;
	for (int first = 1; first < 256; first++) {
		for (int second = 1; second < 256; second++) {
			char hostile[] = {(char)first, (char)second, '\0'};
			char *escaped = text_escape(hostile);

			for (const char *byte = escaped; *byte; byte++)
				assert_true((unsigned char)*byte >= 0x20 && *byte != 0x7f);
			assert_null(strstr(escaped, "\xc2\x9b"));
			free(escaped);
		}
	}
}

static void test_width_counts_columns_not_bytes(void **state)
{
	(void)state;
	assert_int_equal(text_width(""), 0);
	assert_int_equal(text_width("Größe"), 5);
	assert_int_equal(text_width("内存"), 4);
	assert_int_equal(text_width("e\u0301"), 1);
}

static void test_cut_keeps_characters_whole(void **state)
{
	(void)state;
	assert_cut(text_cut_end, "Größe", 5, "Größe");
	assert_cut(text_cut_end, "Größe", 4, "Grö…");
	assert_cut(text_cut_end, "内存内存", 4, "内…");
	assert_cut(text_cut_end, "abc", 1, "…");
	assert_cut(text_cut_end, "abc", 0, "");
	assert_cut(text_cut_start, "/srv/store.cc:42", 12, "…store.cc:42");
	assert_cut(text_cut_start, "内存内存", 4, "…存");
	assert_cut(text_cut_start, "abc", 3, "abc");
	assert_cut(text_cut_start, "abc", 0, "");
}

static void test_an_ascii_locale_gets_ascii_alone(void **state)
{
	(void)state;
	assert_non_null(setlocale(LC_CTYPE, "C"));
	assert_escaped("Größe", "Gr\\xc3\\xb6\\xc3\\x9fe");
	assert_string_equal(text_plus_minus(), "+-");
	assert_cut(text_cut_end, "abcdef", 5, "abc..");
	assert_non_null(setlocale(LC_CTYPE, "C.UTF-8"));
	assert_string_equal(text_plus_minus(), "±");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_escape_leaves_names_as_they_are),
		cmocka_unit_test(test_escape_disarms_control_characters),
		cmocka_unit_test(test_escape_disarms_what_reorders_or_hides_text),
		cmocka_unit_test(test_escape_disarms_malformed_utf8),
		cmocka_unit_test(test_every_escaped_text_is_safe_whatever_two_bytes_it_came_from),
		cmocka_unit_test(test_width_counts_columns_not_bytes),
		cmocka_unit_test(test_cut_keeps_characters_whole),
		cmocka_unit_test(test_an_ascii_locale_gets_ascii_alone),
	};

	if (!setlocale(LC_CTYPE, "C.UTF-8")) {
		fprintf(stderr,
			"this test needs the locale C.UTF-8, which glibc has had since 2.35\n");
		return 1;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
