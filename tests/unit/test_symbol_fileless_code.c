/* SPDX-License-Identifier: Apache-2.0 */
#include "symbol/fileless_code.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h wants the four above. */
#include <cmocka.h>

/* A mapping without a file: its pages, and what is allowed there. */
struct piece {
	uint64_t start, end;
	const char *allowed; /* of "rwx" */
};

static struct address_range range_of(const struct piece *piece)
{
	struct address_range range = {.start = piece->start, .end = piece->end, .path = ""};

	for (const char *letter = piece->allowed; *letter; letter++) {
		range.is_readable |= *letter == 'r';
		range.is_writable |= *letter == 'w';
		range.is_executable |= *letter == 'x';
	}
	return range;
}

/* Reads the pieces, up to one without end; in_file: a page that a file's code takes, or 0. */
static void refresh(struct fileless_code *code, uint64_t in_file, const struct piece *pieces)
{
	struct code_range range = {.start = in_file, .end = in_file + 0x1000};
	struct code_ranges in_files = {.items = &range, .count = in_file != 0};
	struct fileless_code found = {0};
	struct mapped_spans mapped = {0};

	for (; pieces->end; pieces++) {
		struct address_range each = range_of(pieces);

		assert_int_equal(mapped_spans_add(&mapped, pieces->start, pieces->end), 0);
		fileless_code_add(&found, &each);
	}
	if (in_file)
		assert_int_equal(mapped_spans_add(&mapped, in_file, in_file + 0x1000), 0);
	fileless_code_complete(&found, code, &mapped, &in_files);
	mapped_spans_clear(&mapped);
	*code = found;
}

static void test_what_is_reserved_beside_code_is_code_to_come(void **state)
{
	struct fileless_code code = {0};

	(void)state;
	refresh(&code, 0,
		(struct piece[]){{0x1000, 0x2000, ""},
				 {0x2000, 0x3000, "rx"},
				 {0x3000, 0x4000, ""},
				 {0x5000, 0x6000, ""},
				 {0x6000, 0x7000, "rw"},
				 {0x7000, 0x8000, "rx"},
				 {0}});
	assert_int_equal(code.count, 2);
	assert_false(fileless_code_has(&code, 0xfff));
	assert_true(fileless_code_has(&code, 0x1000));
	assert_true(fileless_code_has(&code, 0x3fff));
	assert_false(fileless_code_has(&code, 0x4000));
	assert_false(fileless_code_has(&code, 0x5000));
	assert_false(fileless_code_has(&code, 0x6000));
	assert_true(fileless_code_has(&code, 0x7000));
	assert_false(fileless_code_has(&code, 0x8000));
}

static void test_code_that_is_being_written_stays_code(void **state)
{
	struct fileless_code code = {0};

	(void)state;
	refresh(&code, 0, (struct piece[]){{0x1000, 0x3000, "rx"}, {0}});
	refresh(&code, 0, (struct piece[]){{0x1000, 0x2000, "rw"}, {0x2000, 0x4000, "rx"}, {0}});
	assert_int_equal(code.count, 1);
	assert_true(fileless_code_has(&code, 0x1000));
	assert_true(fileless_code_has(&code, 0x3fff));
	/* What is unmapped in part is looked at anew. */
	refresh(&code, 0, (struct piece[]){{0x2000, 0x4000, "rw"}, {0}});
	assert_int_equal(code.count, 0);
}

static void test_what_a_file_takes_is_the_files(void **state)
{
	struct fileless_code code = {0};

	(void)state;
	refresh(&code, 0, (struct piece[]){{0x1000, 0x3000, "rx"}, {0}});
	refresh(&code, 0x2000, (struct piece[]){{0x1000, 0x2000, "rw"}, {0}});
	assert_int_equal(code.count, 0);
}

static void test_there_is_a_bound(void **state)
{
	struct piece pieces[FILELESS_CODE_RANGES_MAX + 11] = {0};
	struct fileless_code code = {0};

	(void)state;
	for (uint64_t i = 0; i < FILELESS_CODE_RANGES_MAX + 10; i++)
		pieces[i] = (struct piece){(2 * i + 1) << 12, (2 * i + 2) << 12, "rx"};
	refresh(&code, 0, pieces);
	refresh(&code, 0, pieces);
	assert_int_equal(code.count, FILELESS_CODE_RANGES_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_reserved_beside_code_is_code_to_come),
		cmocka_unit_test(test_code_that_is_being_written_stays_code),
		cmocka_unit_test(test_what_a_file_takes_is_the_files),
		cmocka_unit_test(test_there_is_a_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
