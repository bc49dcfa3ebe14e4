/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/probe_address.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define CHOOSE(code, arguments, needs_return, skips_null) \
	choose(code, sizeof(code), arguments, needs_return, skips_null)

static struct probe_address choose(const uint8_t *code, size_t code_size, unsigned argument_count,
				   bool needs_return, bool skips_null)
{
	struct probe_address chosen;

	memset(&chosen, 0xff, sizeof(chosen));
	probe_address_choose(code, code_size,
			     &(struct probe_request){.argument_count = argument_count,
						     .needs_return = needs_return,
						     .skips_null = skips_null},
			     &chosen);
	assert_non_null(memchr(chosen.reason, 0, sizeof(chosen.reason)));
	return chosen;
}

static void assert_emulated(struct probe_address chosen, uint32_t offset_bytes, const char *reason)
{
	assert_string_equal(chosen.reason, reason);
	assert_int_equal(chosen.offset_bytes, offset_bytes);
	assert_true(chosen.is_emulated);
}

static void assert_entry(struct probe_address chosen, const char *reason)
{
	assert_string_equal(chosen.reason, reason);
	assert_int_equal(chosen.offset_bytes, 0);
	assert_false(chosen.is_emulated);
	assert_false(chosen.is_past_null_check);
}

/* ---- The first bytes of glibc 2.36's functions, as Debian 12 has them ---- */

static void test_glibc_malloc_begins_with_a_push(void **state)
{
	static const uint8_t code[] = {
		0x41, 0x54,             /* push %r12 */
		0x55,                   /* push %rbp */
		0x53,                   /* push %rbx */
		0x48, 0x89, 0xfb,       /* mov %rdi,%rbx */
		0x48, 0x83, 0xec, 0x10, /* sub $0x10,%rsp */
	};

	(void)state;
	assert_emulated(CHOOSE(code, 1, true, false), 0, "push %r12 at +0");
}

static const uint8_t glibc_free[] = {
	0x48, 0x85, 0xff,                         /* test %rdi,%rdi */
	0x0f, 0x84, 0xbf, 0x00, 0x00, 0x00,       /* je +0xc8 */
	0x55,                                     /* push %rbp */
	0x48, 0x8d, 0x77, 0xf0,                   /* lea -0x10(%rdi),%rsi */
	0x53,                                     /* push %rbx */
	0x48, 0x83, 0xec, 0x18,                   /* sub $0x18,%rsp */
	0x48, 0x8b, 0x1d, 0xd6, 0x9e, 0x13, 0x00, /* mov 0x139ed6(%rip),%rbx */
};

static void test_glibc_free_is_probed_past_its_null_check(void **state)
{
	struct probe_address chosen = CHOOSE(glibc_free, 1, true, true);

	(void)state;
	assert_emulated(chosen, 9, "push %rbp at +9 after the null check of %rdi");
	assert_true(chosen.is_past_null_check);
}

static void test_a_null_check_is_probed_itself_when_null_counts(void **state)
{
	struct probe_address chosen = CHOOSE(glibc_free, 1, true, false);

	(void)state;
	assert_emulated(chosen, 3, "je at +3");
	assert_false(chosen.is_past_null_check);
}

static void test_glibc_posix_memalign_is_probed_past_a_comparison(void **state)
{
	static const uint8_t code[] = {
		0x80, 0x3d, 0x01, 0x02, 0x14, 0x00, 0x00, /* cmpb $0x0,0x140201(%rip) */
		0x41, 0x54,                               /* push %r12 */
		0x49, 0x89, 0xd4,                         /* mov %rdx,%r12 */
	};

	(void)state;
	assert_emulated(CHOOSE(code, 3, true, false), 7, "push %r12 at +7");
}

static const uint8_t glibc_aligned_alloc[] = {
	0x80, 0x3d, 0x71, 0x0e, 0x14, 0x00, 0x00, /* cmpb $0x0,0x140e71(%rip) */
	0x74, 0x07,                               /* je +0x10 */
	0xe9, 0x32, 0xf6, 0xff, 0xff,             /* jmp _mid_memalign */
	0x66, 0x90,                               /* xchg %ax,%ax */
	0x48, 0x83, 0xec, 0x18,                   /* sub $0x18,%rsp */
};

static void test_glibc_aligned_alloc_is_probed_at_its_branch(void **state)
{
	(void)state;
	assert_emulated(CHOOSE(glibc_aligned_alloc, 2, true, false), 7, "je at +7");
}

static void test_glibc_mmap_is_probed_at_its_branch(void **state)
{
	static const uint8_t code[] = {
		0x41, 0x89, 0xca,                         /* mov %ecx,%r10d */
		0x41, 0xf7, 0xc1, 0xff, 0x0f, 0x00, 0x00, /* test $0xfff,%r9d */
		0x75, 0x14,                               /* jne +0x20 */
		0xb8, 0x09, 0x00, 0x00, 0x00,             /* mov $0x9,%eax */
		0x0f, 0x05,                               /* syscall */
	};

	(void)state;
	assert_emulated(CHOOSE(code, 6, true, false), 10, "jne at +10");
}

static void test_glibc_munmap_has_nothing_before_its_system_call(void **state)
{
	static const uint8_t code[] = {
		0xb8, 0x0b, 0x00, 0x00, 0x00,       /* mov $0xb,%eax */
		0x0f, 0x05,                         /* syscall */
		0x48, 0x3d, 0x01, 0xf0, 0xff, 0xff, /* cmp $0xfffffffffffff001,%rax */
		0x73, 0x01,                         /* jae +0x10 */
		0xc3,                               /* ret */
	};

	(void)state;
	assert_entry(CHOOSE(code, 2, true, false),
		     "entry: syscall at +5 comes before any emulated instruction");
}

static const uint8_t glibc_mremap[] = {
	0x48, 0x83, 0xec, 0x58,                               /* sub $0x58,%rsp */
	0x4c, 0x89, 0x44, 0x24, 0x40,                         /* mov %r8,0x40(%rsp) */
	0x64, 0x48, 0x8b, 0x04, 0x25, 0x28, 0x00, 0x00, 0x00, /* mov %fs:0x28,%rax */
	0x48, 0x89, 0x44, 0x24, 0x18,                         /* mov %rax,0x18(%rsp) */
	0x31, 0xc0,                                           /* xor %eax,%eax */
	0x83, 0xf9, 0x07,                                     /* cmp $0x7,%ecx */
	0x77, 0x5a,                                           /* ja +0x78 */
};

static void test_glibc_mremap_moves_the_stack_first(void **state)
{
	(void)state;
	assert_entry(CHOOSE(glibc_mremap, 5, true, false), "entry: sub at +0 moves %rsp");
}

static void test_the_stack_may_move_when_the_return_address_is_not_needed(void **state)
{
	(void)state;
	assert_emulated(CHOOSE(glibc_mremap, 5, false, false), 28, "ja at +28");
}

static const uint8_t glibc_reallocarray[] = {
	0x48, 0x89, 0xf0,             /* mov %rsi,%rax */
	0x48, 0xf7, 0xe2,             /* mul %rdx */
	0x48, 0x89, 0xc6,             /* mov %rax,%rsi */
	0x70, 0x05,                   /* jo +0x10 */
	0xe9, 0x40, 0xb8, 0xf8, 0xff, /* jmp realloc */
};

static void test_mul_overwrites_the_third_argument(void **state)
{
	(void)state;
	assert_entry(CHOOSE(glibc_reallocarray, 3, true, false),
		     "entry: mul at +3 overwrites an argument");
	assert_entry(CHOOSE(glibc_reallocarray, 2, true, false),
		     "entry: mov at +6 overwrites an argument");
	assert_emulated(CHOOSE(glibc_reallocarray, 1, true, false), 9, "jo at +9");
}

/* ---- Builds with control-flow enforcement (Ubuntu, Fedora) begin with endbr64 ---- */

static void test_endbr64_is_stepped_over(void **state)
{
	static const uint8_t code[] = {
		0xf3, 0x0f, 0x1e, 0xfa, /* endbr64 */
		0x41, 0x54,             /* push %r12 */
		0x55,                   /* push %rbp */
	};

	(void)state;
	assert_emulated(CHOOSE(code, 1, true, false), 4, "push %r12 at +4");
}

static void test_endbr64_before_a_null_check(void **state)
{
	static const uint8_t code[] = {
		0xf3, 0x0f, 0x1e, 0xfa,             /* endbr64 */
		0x48, 0x85, 0xff,                   /* test %rdi,%rdi */
		0x0f, 0x84, 0xbb, 0x00, 0x00, 0x00, /* je +0xc8 */
		0x55,                               /* push %rbp */
		0x48, 0x89, 0xe5,                   /* mov %rsp,%rbp */
	};
	struct probe_address chosen = CHOOSE(code, 1, true, true);

	(void)state;
	assert_emulated(chosen, 13, "push %rbp at +13 after the null check of %rdi");
	assert_true(chosen.is_past_null_check);
}

static void test_glibc_2_31_free_looks_at_its_hook_before_the_null_check(void **state)
{
	static const uint8_t code[] = {
		0xf3, 0x0f, 0x1e, 0xfa,                   /* endbr64 */
		0x48, 0x8b, 0x05, 0x00, 0x30, 0x16, 0x00, /* mov 0x163000(%rip),%rax */
		0x48, 0x8b, 0x00,                         /* mov (%rax),%rax */
		0x48, 0x85, 0xc0,                         /* test %rax,%rax */
		0x75, 0x10,                               /* jne +0x23 */
		0x48, 0x85, 0xff,                         /* test %rdi,%rdi */
		0x74, 0x0b,                               /* je +0x23 */
		0x55,                                     /* push %rbp */
		0x5d,                                     /* pop %rbp */
		0xc3,                                     /* ret */
	};
	struct probe_address chosen = CHOOSE(code, 1, true, true);

	(void)state;
	assert_emulated(chosen, 17, "jne at +17");
	assert_false(chosen.is_past_null_check);
}

/* ---- Null checks in other shapes ---- */

static void test_the_non_null_side_of_jne_is_followed(void **state)
{
	static const uint8_t code[] = {
		0x48, 0x85, 0xff, /* test %rdi,%rdi */
		0x75, 0x03,       /* jne +0x8 */
		0x31, 0xc0,       /* xor %eax,%eax */
		0xc3,             /* ret */
		0x31, 0xc0,       /* +0x8: xor %eax,%eax */
		0x53,             /* push %rbx */
	};
	struct probe_address chosen = CHOOSE(code, 1, true, true);

	(void)state;
	assert_emulated(chosen, 10, "push %rbx at +10 after the null check of %rdi");
	assert_true(chosen.is_past_null_check);
}

static void test_a_null_path_that_falls_into_the_other_skips_nothing(void **state)
{
	static const uint8_t code[] = {
		0x48, 0x85, 0xff, /* test %rdi,%rdi */
		0x75, 0x02,       /* jne +0x7 */
		0x31, 0xc0,       /* xor %eax,%eax */
		0x53,             /* +0x7: push %rbx */
		0xc3,             /* ret */
	};
	struct probe_address chosen = CHOOSE(code, 1, true, true);

	(void)state;
	assert_emulated(chosen, 3, "jne at +3");
	assert_false(chosen.is_past_null_check);
}

static void test_a_null_path_that_joins_again_skips_nothing(void **state)
{
	static const uint8_t code[] = {
		0x48, 0x85, 0xff, /* test %rdi,%rdi */
		0x74, 0x02,       /* je +0x7 */
		0x31, 0xc0,       /* xor %eax,%eax */
		0x53,             /* +0x7: push %rbx */
		0xc3,             /* ret */
	};

	(void)state;
	assert_emulated(CHOOSE(code, 1, true, true), 3, "je at +3");
}

static void test_a_push_before_the_null_check_is_second_best(void **state)
{
	static const uint8_t code[] = {
		0x53,             /* push %rbx */
		0x48, 0x85, 0xff, /* test %rdi,%rdi */
		0x74, 0x02,       /* je +0x8 */
		0x55,             /* push %rbp */
		0x5d,             /* pop %rbp */
		0x5b,             /* +0x8: pop %rbx */
		0xc3,             /* ret */
	};

	(void)state;
	assert_emulated(CHOOSE(code, 1, false, true), 6,
			"push %rbp at +6 after the null check of %rdi");
	assert_emulated(CHOOSE(code, 1, true, true), 0, "push %rbx at +0");
}

static void test_a_check_of_half_the_register_is_no_null_check(void **state)
{
	static const uint8_t code[] = {
		0x85, 0xff, /* test %edi,%edi */
		0x74, 0x01, /* je +0x5 */
		0x55,       /* push %rbp */
		0xc3,       /* +0x5: ret */
	};

	(void)state;
	assert_emulated(CHOOSE(code, 1, true, true), 2, "je at +2");
}

static void test_flags_that_something_else_has_set_are_no_null_check(void **state)
{
	static const uint8_t code[] = {
		0x48, 0x85, 0xff, /* test %rdi,%rdi */
		0xa8, 0x01,       /* test $0x1,%al */
		0x74, 0x01,       /* je +0x8 */
		0x55,             /* push %rbp */
		0xc3,             /* +0x8: ret */
	};

	(void)state;
	assert_emulated(CHOOSE(code, 1, true, true), 5, "je at +5");
}

/* ---- Passed exactly once, arguments intact ---- */

static void test_a_loop_head_is_not_probed(void **state)
{
	static const uint8_t code[] = {
		0x31, 0xc0,       /* xor %eax,%eax */
		0x53,             /* +0x2: push %rbx */
		0x48, 0xff, 0xc0, /* inc %rax */
		0x75, 0xfa,       /* jne +0x2 */
		0xc3,             /* ret */
	};

	(void)state;
	assert_entry(CHOOSE(code, 1, true, false),
		     "entry: push at +2 may be passed more than once");
}

static void test_a_loop_that_begins_before_the_instruction_counts_too(void **state)
{
	static const uint8_t code[] = {
		0x31, 0xc0, /* xor %eax,%eax */
		0xff, 0xc0, /* +0x2: inc %eax */
		0x75, 0xfc, /* jne +0x2 */
		0xc3,       /* ret */
	};

	(void)state;
	assert_entry(CHOOSE(code, 1, true, false), "entry: jne at +4 may be passed more than once");
}

static void test_a_function_that_jumps_to_itself_calls_itself(void **state)
{
	static const uint8_t code[] = {
		0x53,       /* push %rbx */
		0x5b,       /* pop %rbx */
		0xeb, 0xfc, /* jmp +0x0 */
	};

	(void)state;
	assert_emulated(CHOOSE(code, 1, true, false), 0, "push %rbx at +0");
}

static void test_a_write_to_any_part_of_an_argument_ends_the_walk(void **state)
{
	static const uint8_t dil[] = {0x40, 0xb7, 0x01, 0x53};       /* mov $1,%dil; push */
	static const uint8_t dh[] = {0xb6, 0x01, 0x53};              /* mov $1,%dh; push */
	static const uint8_t r8d[] = {0x45, 0x31, 0xc0, 0x53};       /* xor %r8d,%r8d; push */
	static const uint8_t r9b[] = {0x41, 0xb1, 0x01, 0x53};       /* mov $1,%r9b; push */
	static const uint8_t movzx[] = {0x0f, 0xb6, 0xf0, 0x53};     /* movzbl %al,%esi; push */
	static const uint8_t lea[] = {0x48, 0x8d, 0x4f, 0x10, 0x53}; /* lea 0x10(%rdi),%rcx */

	(void)state;
	assert_entry(CHOOSE(dil, 1, true, false), "entry: mov at +0 overwrites an argument");
	assert_entry(CHOOSE(dh, 3, true, false), "entry: mov at +0 overwrites an argument");
	assert_emulated(CHOOSE(dh, 2, true, false), 2, "push %rbx at +2");
	assert_entry(CHOOSE(r8d, 5, true, false), "entry: xor at +0 overwrites an argument");
	assert_emulated(CHOOSE(r8d, 4, true, false), 3, "push %rbx at +3");
	assert_entry(CHOOSE(r9b, 6, true, false), "entry: mov at +0 overwrites an argument");
	assert_entry(CHOOSE(movzx, 2, true, false), "entry: movzx at +0 overwrites an argument");
	assert_entry(CHOOSE(lea, 4, true, false), "entry: lea at +0 overwrites an argument");
}

static void test_prefixed_and_indirect_branches_are_not_emulated(void **state)
{
	static const uint8_t bnd_jmp[] = {0xf2, 0xe9, 0x00, 0x00, 0x00, 0x00, 0x53};
	static const uint8_t data16_jmp[] = {0x66, 0xe9, 0x00, 0x00, 0x00, 0x00, 0x53};
	static const uint8_t hinted_je[] = {0x3e, 0x74, 0x00, 0x53};
	static const uint8_t indirect[] = {0xff, 0xe0, 0x53};               /* jmp *%rax */
	static const uint8_t call[] = {0xe8, 0x00, 0x00, 0x00, 0x00, 0x53}; /* call */
	static const uint8_t wide_push[] = {0x48, 0x53, 0x53};              /* rex.W push %rbx */
	static const uint8_t jrcxz[] = {0xe3, 0x00, 0x53};
	static const uint8_t xchg_r8[] = {0x41, 0x90, 0x53}; /* xchg %r8,%rax: no nop */

	(void)state;
	assert_false(CHOOSE(bnd_jmp, 1, true, false).is_emulated);
	assert_false(CHOOSE(data16_jmp, 1, true, false).is_emulated);
	assert_false(CHOOSE(hinted_je, 1, true, false).is_emulated);
	assert_false(CHOOSE(indirect, 1, true, false).is_emulated);
	assert_false(CHOOSE(call, 1, true, false).is_emulated);
	assert_false(CHOOSE(wide_push, 1, true, false).is_emulated);
	assert_false(CHOOSE(jrcxz, 1, true, false).is_emulated);
	assert_false(CHOOSE(xchg_r8, 1, true, false).is_emulated);
}

static void test_only_the_plain_nop_is_probed(void **state)
{
	static const uint8_t nop[] = {0x90, 0xc3};
	static const uint8_t long_nop[] = {0x0f, 0x1f, 0x44, 0x00, 0x00, 0x55};

	(void)state;
	assert_emulated(CHOOSE(nop, 1, true, false), 0, "nop at +0");
	assert_emulated(CHOOSE(long_nop, 1, true, false), 5, "push %rbp at +5");
}

static void test_code_that_ends_or_cannot_be_decoded_gives_the_entry(void **state)
{
	static const uint8_t invalid[] = {0x06, 0x53};
	static const uint8_t cut[] = {0x48, 0x89};
	static const uint8_t no_branch_yet[] = {0x31, 0xc0};
	uint8_t late[32] = {0x31, 0xc0, 0x53};

	(void)state;
	assert_entry(CHOOSE(invalid, 1, true, false), "entry: what is at +0 cannot be decoded");
	assert_entry(CHOOSE(cut, 1, true, false), "entry: what is at +0 cannot be decoded");
	assert_entry(CHOOSE(no_branch_yet, 1, true, false),
		     "entry: what is at +2 cannot be decoded");
	assert_entry(choose(NULL, 0, 1, true, false), "entry: what is at +0 cannot be decoded");
	memset(late + 3, 0x06, sizeof(late) - 3);
	assert_entry(CHOOSE(late, 1, true, false),
		     "entry: push at +2 precedes what cannot be decoded");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_glibc_malloc_begins_with_a_push),
		cmocka_unit_test(test_glibc_free_is_probed_past_its_null_check),
		cmocka_unit_test(test_a_null_check_is_probed_itself_when_null_counts),
		cmocka_unit_test(test_glibc_posix_memalign_is_probed_past_a_comparison),
		cmocka_unit_test(test_glibc_aligned_alloc_is_probed_at_its_branch),
		cmocka_unit_test(test_glibc_mmap_is_probed_at_its_branch),
		cmocka_unit_test(test_glibc_munmap_has_nothing_before_its_system_call),
		cmocka_unit_test(test_glibc_mremap_moves_the_stack_first),
		cmocka_unit_test(test_the_stack_may_move_when_the_return_address_is_not_needed),
		cmocka_unit_test(test_mul_overwrites_the_third_argument),
		cmocka_unit_test(test_endbr64_is_stepped_over),
		cmocka_unit_test(test_endbr64_before_a_null_check),
		cmocka_unit_test(test_glibc_2_31_free_looks_at_its_hook_before_the_null_check),
		cmocka_unit_test(test_the_non_null_side_of_jne_is_followed),
		cmocka_unit_test(test_a_null_path_that_falls_into_the_other_skips_nothing),
		cmocka_unit_test(test_a_null_path_that_joins_again_skips_nothing),
		cmocka_unit_test(test_a_push_before_the_null_check_is_second_best),
		cmocka_unit_test(test_a_check_of_half_the_register_is_no_null_check),
		cmocka_unit_test(test_flags_that_something_else_has_set_are_no_null_check),
		cmocka_unit_test(test_a_loop_head_is_not_probed),
		cmocka_unit_test(test_a_loop_that_begins_before_the_instruction_counts_too),
		cmocka_unit_test(test_a_function_that_jumps_to_itself_calls_itself),
		cmocka_unit_test(test_a_write_to_any_part_of_an_argument_ends_the_walk),
		cmocka_unit_test(test_prefixed_and_indirect_branches_are_not_emulated),
		cmocka_unit_test(test_only_the_plain_nop_is_probed),
		cmocka_unit_test(test_code_that_ends_or_cannot_be_decoded_gives_the_entry),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
