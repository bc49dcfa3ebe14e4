/* SPDX-License-Identifier: Apache-2.0 */
/* Where functions return and what they go on to, by machine code that is written out here. */
#include "probe/function_flow.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* Where the code lies: offset 0 is a file's header. */
#define ENTRY 0x1000

struct code {
	const uint8_t *bytes;
	size_t size;
	const char *symbol; /* of every slot; NULL: slots cannot be read */
};

static size_t code_read(void *context, uint64_t offset, uint8_t *bytes, size_t count)
{
	const struct code *code = context;

	offset -= ENTRY;
	if (offset >= code->size)
		return 0;
	if (count > code->size - offset)
		count = code->size - (size_t)offset;
	memcpy(bytes, code->bytes + offset, count);
	return count;
}

static bool code_slot(void *context, uint64_t offset, int64_t distance, struct code_slot *slot)
{
	const struct code *code = context;

	(void)offset;
	(void)distance;
	memset(slot, 0, sizeof(*slot));
	if (!code->symbol)
		return false;
	strcpy(slot->symbol, code->symbol);
	return true;
}

static uint64_t code_function_end(void *context, uint64_t offset)
{
	(void)offset;
	return ENTRY + ((const struct code *)context)->size;
}

static struct code_source source_of(struct code *code)
{
	return (struct code_source){.context = code,
				    .read = code_read,
				    .slot = code_slot,
				    .function_end = code_function_end};
}

#define CODE(...)                                              \
	{                                                      \
		.bytes = (const uint8_t[]){__VA_ARGS__},       \
		.size = sizeof((const uint8_t[]){__VA_ARGS__}) \
	}

static void assert_exits(struct code code, size_t count, const uint64_t *offsets)
{
	struct code_source source = source_of(&code);
	struct function_exits exits;

	assert_true(function_exits_find(&source, ENTRY, &exits));
	assert_int_equal(exits.count, count);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(exits.offsets[i], ENTRY + offsets[i]);
	assert_string_equal(exits.reason, "");
}

static void assert_no_exits(struct code code, const char *reason)
{
	struct code_source source = source_of(&code);
	struct function_exits exits;

	assert_false(function_exits_find(&source, ENTRY, &exits));
	assert_int_equal(exits.count, 0);
	assert_string_equal(exits.reason, reason);
}

static void test_a_straight_function_has_one_exit(void **state)
{
	/* push %rbx; mov %rdi,%rbx; pop %rbx; ret */
	struct code code = CODE(0x53, 0x48, 0x89, 0xfb, 0x5b, 0xc3);

	(void)state;
	assert_exits(code, 1, (const uint64_t[]){5});
}

static void test_each_way_is_followed(void **state)
{
	/* test %rdi,%rdi; je +1; ret; ret */
	struct code branches = CODE(0x48, 0x85, 0xff, 0x74, 0x01, 0xc3, 0xc3);
	/* jmp +2; two bytes that nothing leads to; ret */
	struct code jumps = CODE(0xeb, 0x02, 0xc3, 0xc3, 0xc3);

	(void)state;
	assert_exits(branches, 2, (const uint64_t[]){5, 6});
	assert_exits(jumps, 1, (const uint64_t[]){4});
}

static void test_what_never_returns_is_no_exit(void **state)
{
	/* test %rdi,%rdi; je +1; ret; jmp *0(%rip) */
	struct code code = CODE(0x48, 0x85, 0xff, 0x74, 0x01, 0xc3, 0xff, 0x25, 0, 0, 0, 0);
	/* ret behind a call that is the last of the function belongs to another one */
	struct code last = CODE(0x74, 0x01, 0xc3, 0xe8, 0, 0, 0, 0);

	(void)state;
	code.symbol = "abort";
	assert_exits(code, 1, (const uint64_t[]){5});
	assert_exits(last, 1, (const uint64_t[]){2});
}

static void test_what_cannot_be_followed_is_said(void **state)
{
	/* jmp *0(%rip) */
	struct code elsewhere = CODE(0xff, 0x25, 0, 0, 0, 0);

	(void)state;
	assert_no_exits((struct code)CODE(0x90, 0xff, 0xe0), "jump at +1 cannot be followed");
	assert_no_exits((struct code)CODE(0xc2, 0x08, 0x00), "ret at +0 takes arguments away");
	assert_no_exits((struct code)CODE(0xeb, 0xfe), "it never returns");
	assert_no_exits((struct code)CODE(0x90, 0x06), "what is at +1 cannot be decoded");
	assert_no_exits(elsewhere, "jump at +0 cannot be followed");
	elsewhere.symbol = "reserve";
	assert_no_exits(elsewhere, "it goes on to reserve of another file");
}

static void test_a_function_that_shuffles_its_arguments_passes_on(void **state)
{
	/* endbr64; mov %rsi,%rdi; jmp +0x20 */
	struct code passes = CODE(0xf3, 0x0f, 0x1e, 0xfa, 0x48, 0x89, 0xf7, 0xeb, 0x20);
	/* push %rbx; jmp +0x20 */
	struct code works = CODE(0x53, 0xeb, 0x20);
	struct code_source source = source_of(&passes);

	(void)state;
	assert_int_equal(function_passes_on_to(&source, ENTRY), ENTRY + 0x29);
	source = source_of(&works);
	assert_int_equal(function_passes_on_to(&source, ENTRY), 0);
}

static void test_a_free_goes_on_when_every_way_with_a_block_does(void **state)
{
	/* test %rdi,%rdi; je +5; jmp 0x40; ret */
	struct code checks = CODE(0x48, 0x85, 0xff, 0x74, 0x05, 0xe9, 0x36, 0, 0, 0, 0xc3);
	/* test %rsi,%rsi; je +5; jmp 0x40; ret: of some blocks nothing is passed on */
	struct code chooses = CODE(0x48, 0x85, 0xf6, 0x74, 0x05, 0xe9, 0x36, 0, 0, 0, 0xc3);
	const uint64_t targets[] = {ENTRY + 0x80, ENTRY + 0x40};
	struct code_source source = source_of(&checks);

	(void)state;
	assert_int_equal(function_frees_through(&source, ENTRY, targets, 2), ENTRY + 0x40);
	assert_int_equal(function_frees_through(&source, ENTRY, targets, 1), 0);
	source = source_of(&chooses);
	assert_int_equal(function_frees_through(&source, ENTRY, targets, 2), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_straight_function_has_one_exit),
		cmocka_unit_test(test_each_way_is_followed),
		cmocka_unit_test(test_what_never_returns_is_no_exit),
		cmocka_unit_test(test_what_cannot_be_followed_is_said),
		cmocka_unit_test(test_a_function_that_shuffles_its_arguments_passes_on),
		cmocka_unit_test(test_a_free_goes_on_when_every_way_with_a_block_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
