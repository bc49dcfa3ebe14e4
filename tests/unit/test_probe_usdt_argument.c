/* SPDX-License-Identifier: Apache-2.0 */
/* Argument strings of USDT probes, as compilers write them and as nobody should. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "probe/usdt_argument.h"

#include <asm/ptrace.h>

static const char *reason;

static int parse(const char *text, unsigned count, struct record_usdt_arguments *arguments)
{
	reason = NULL;
	return usdt_arguments_parse(text, count, arguments, &reason);
}

static struct record_usdt_argument parse_one(const char *text)
{
	struct record_usdt_arguments arguments;

	if (parse(text, 1, &arguments))
		fail_msg("\"%s\": %s", text, reason);
	return arguments.arguments[0];
}

#if defined(__x86_64__)

#define NONE      RECORD_REGISTER_NONE
#define REG(name) offsetof(struct pt_regs, name)

struct expectation {
	const char *text;
	struct record_usdt_argument argument;
};

static void test_operands_of_compilers(void **state)
{
	/* constant, base, index, scale_shift, is_memory, size_bytes, is_signed */
	static const struct expectation expectations[] = {
		{"8@%rdi", {0, REG(rdi), NONE, 0, 0, 8, 0, {0}}},
		{"-4@%eax", {0, REG(rax), NONE, 0, 0, 4, 1, {0}}},
		{"2@%dx", {0, REG(rdx), NONE, 0, 0, 2, 0, {0}}},
		{"-1@%sil", {0, REG(rsi), NONE, 0, 0, 1, 1, {0}}},
		{"8@%r8", {0, REG(r8), NONE, 0, 0, 8, 0, {0}}},
		{"4@%r15d", {0, REG(r15), NONE, 0, 0, 4, 0, {0}}},
		{"1@%r10b", {0, REG(r10), NONE, 0, 0, 1, 0, {0}}},
		{"8@$16", {16, NONE, NONE, 0, 0, 8, 0, {0}}},
		{"-4@$-5", {-5, NONE, NONE, 0, 0, 4, 1, {0}}},
		{"8@$0x7fffffffffff", {0x7fffffffffff, NONE, NONE, 0, 0, 8, 0, {0}}},
		{"8@$18446744073709551615", {-1, NONE, NONE, 0, 0, 8, 0, {0}}},
		{"8@$-9223372036854775808", {INT64_MIN, NONE, NONE, 0, 0, 8, 0, {0}}},
		{"8@(%rbx)", {0, REG(rbx), NONE, 0, 1, 8, 0, {0}}},
		{"-4@-12(%rbp)", {-12, REG(rbp), NONE, 0, 1, 4, 1, {0}}},
		{"8@40(%rsp)", {40, REG(rsp), NONE, 0, 1, 8, 0, {0}}},
		{"8@24(%rdx,%rax)", {24, REG(rdx), REG(rax), 0, 1, 8, 0, {0}}},
		{"8@8(%rsp,%rcx,8)", {8, REG(rsp), REG(rcx), 3, 1, 8, 0, {0}}},
		{"4@(%r12,%r13,4)", {0, REG(r12), REG(r13), 2, 1, 4, 0, {0}}},
		{"8@16(,%rax,2)", {16, NONE, REG(rax), 1, 1, 8, 0, {0}}},
		{"8@4096", {4096, NONE, NONE, 0, 1, 8, 0, {0}}},
		{"%rdi", {0, REG(rdi), NONE, 0, 0, 8, 0, {0}}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(expectations) / sizeof(expectations[0]); i++) {
		struct record_usdt_argument got = parse_one(expectations[i].text);

		if (memcmp(&got, &expectations[i].argument, sizeof(got)) != 0)
			fail_msg("\"%s\" is read wrongly", expectations[i].text);
	}
}

static void test_every_register_has_its_place(void **state)
{
	static const char *const names[] = {"rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp",
					    "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
	bool is_seen[sizeof(struct pt_regs)] = {false};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char text[16];
		struct record_usdt_argument got;

		snprintf(text, sizeof(text), "8@%%%s", names[i]);
		got = parse_one(text);
		assert_int_equal(got.base % 8, 0);
		assert_true(got.base + 8U <= sizeof(struct pt_regs));
		assert_false(is_seen[got.base]);
		is_seen[got.base] = true;
	}
}

static void test_several_arguments(void **state)
{
	struct record_usdt_arguments arguments;

	(void)state;
	assert_int_equal(parse("8@%rdi -4@-12(%rbp) 8@$16", 3, &arguments), 0);
	assert_int_equal(arguments.arguments[1].constant, -12);
	assert_int_equal(arguments.arguments[2].constant, 16);
	/* More than are asked for, whatever they be. */
	assert_int_equal(parse("8@%rdi 8f@%xmm0", 1, &arguments), 0);
	assert_int_equal(parse("  8@%rdi   8@%rsi  ", 2, &arguments), 0);
}

static void test_what_cannot_be_evaluated_is_refused_with_a_reason(void **state)
{
	static const struct {
		const char *text;
		const char *reason;
	} refused[] = {
		{"8@foo+4(%rip)", "symbol"},
		{"8@_weight(%rip)", "symbol"},
		{"8@4(%rip)", "instruction pointer"},
		{"8@.LC0", "symbol"},
		{"8@$foo", "symbol"},
		{"8@%fs:16", "segment"},
		{"8f@%xmm0", "floating-point"},
		{"8@%xmm1", "floating-point"},
		{"8@%st(0)", "floating-point"},
		{"8@%ah", "register"},
		{"8@%cr3", "register"},
		{"8@%", "register"},
		{"8@8(%eax)", "register"},
		{"8@8(%rax,%xmm0)", "register"},
		{"8@8(%raxraxraxrax)", "register"},
		{"3@%rax", "not known"},
		{"16@%rax", "not known"},
		{"@%rax", "not known"},
		{"-@%rax", "not known"},
		{"8@", "not known"},
		{"8@@", "not known"},
		{"8@8(%rax", "not known"},
		{"8@8(%rax,", "not known"},
		{"8@8(%rax,%rbx,", "not known"},
		{"8@8(%rax,%rbx,3)", "not known"},
		{"8@8(%rax,%rbx,16)", "not known"},
		{"8@8(%rax)8", "not known"},
		{"8@8(8)", "not known"},
		{"8@8()", "not known"},
		{"8@(", "not known"},
		{"8@$8 ", NULL},
		{"8@$8x", "not known"},
		{"8@-(%rax)", "not known"},
		{"8@$99999999999999999999999", "not known"},
		{"8@QWORD PTR [rbp-8]", "symbol"},
		{"", "fewer"},
		{"   ", "fewer"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		struct record_usdt_arguments arguments;
		int error = parse(refused[i].text, 1, &arguments);

		if (!refused[i].reason) {
			assert_int_equal(error, 0);
			continue;
		}
		if (!error)
			fail_msg("\"%s\" is accepted", refused[i].text);
		if (!reason || !strstr(reason, refused[i].reason))
			fail_msg("\"%s\": %s", refused[i].text, reason ? reason : "no reason");
	}
}

static void test_too_few_and_too_long(void **state)
{
	struct record_usdt_arguments arguments;
	char text[5000];

	(void)state;
	assert_int_not_equal(parse("8@%rdi 8@%rsi", 3, &arguments), 0);
	assert_non_null(strstr(reason, "fewer"));
	memset(text, '1', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	memcpy(text, "8@", 2);
	assert_int_not_equal(parse(text, 1, &arguments), 0);
	assert_int_not_equal(parse("8@%rdi", RECORD_USDT_ARGUMENTS_MAX + 1, &arguments), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_operands_of_compilers),
		cmocka_unit_test(test_every_register_has_its_place),
		cmocka_unit_test(test_several_arguments),
		cmocka_unit_test(test_what_cannot_be_evaluated_is_refused_with_a_reason),
		cmocka_unit_test(test_too_few_and_too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

static void test_other_machines_say_so(void **state)
{
	struct record_usdt_arguments arguments;

	(void)state;
	assert_int_not_equal(parse("8@x0", 1, &arguments), 0);
	assert_non_null(strstr(reason, "x86-64"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_other_machines_say_so)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
