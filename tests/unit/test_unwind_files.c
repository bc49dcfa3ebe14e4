/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the descriptions of a file's code come from: tables for run time and for debuggers beside
 * each other, stubs that nothing describes, files without section headers.
 */
#include "unwind_program.h"

#include <elf.h>

/* ---- Several sources ---- */

/* As where some objects of a program are compiled for no exceptions: each section has a part. */
static void test_debug_frame_describes_what_eh_frame_leaves_out(void **state)
{
	static const char source[] =
		".text\n.globl first, second, third\n"
		".macro describe offset\n"
		" .cfi_startproc\n .cfi_def_cfa_offset \\offset\n nop\n nop\n .cfi_endproc\n"
		".endm\n"
		"first: describe 40\nsecond: describe 48\nthird: describe 56\n"
		/* What only .debug_frame has, and what both have, but not the same. */
		".section .debug_frame, \"\", @progbits\n"
		"common: .long 2f - 1f\n1: .long -1\n .byte 1, 0, 1, 0x78, 16\n"
		" .byte 0x0c, 7, 8, 0x90, 1\n .p2align 3\n2:\n"
		" .long 4f - 3f\n3: .long common\n .quad bare, 2\n .byte 0x0e, 64\n"
		" .p2align 3\n4:\n"
		" .long 6f - 5f\n5: .long common\n .quad second, 2\n .byte 0x0e, 72\n"
		" .p2align 3\n6:\n"
		".text\n.globl bare\nbare: nop\n nop\n";
	struct record_unwind_rule rule = {.kind = RECORD_UNWIND_STACK_POINTER};
	static const struct {
		const char *symbol;
		int32_t offset;
	} expected[] = {{"first", 40}, {"second", 48}, {"third", 56}, {"bare", 64}};
	struct unwind_table *table;
	struct program program;

	(void)state;
	program_build(&program, "S", source, "gcc -shared -nostdlib");
	table = build_of(program.path);
	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
		rule.cfa_offset = expected[i].offset;
		assert_rule(table, address_of(&program, expected[i].symbol), rule);
		assert_rule(table, address_of(&program, expected[i].symbol) + 1, rule);
	}
	assert_int_equal(table->refused_count, 0);
	unwind_table_free(table);
	program_remove(&program);
}

/* As lld and mold build them, without a word in the tables; and code that only looks alike. */
static void test_stubs_are_known_by_their_instructions(void **state)
{
	static const char source[] =
		".text\n.globl of_mold, its_first, described, of_lld, its_first_one, of_ibt\n"
		".globl other, no_stub\n"
		".p2align 4\n"
		"its_first: endbr64\n push %r11\n pushq data(%rip)\n jmp *data(%rip)\n"
		" .p2align 4\n"
		"of_mold: endbr64\n mov $7, %r11d\n jmp *data(%rip)\n .p2align 4\n"
		"described: .cfi_startproc\n .cfi_def_cfa_offset 40\n nop\n .cfi_endproc\n"
		" .p2align 4\n"
		"no_stub: .byte 0xe9\n .long 0\n .p2align 4\n"
		"its_first_one: pushq data(%rip)\n jmp *data(%rip)\n .p2align 4\n"
		"of_lld: jmp *data(%rip)\n .byte 0x68, 1, 0, 0, 0, 0xe9\n .long 0\n"
		"of_ibt: endbr64\n .byte 0x68, 1, 0, 0, 0, 0xe9\n .long 0\n .p2align 4\n"
		"other: sub $8, %rsp\n jmp *data(%rip)\n .p2align 4\n"
		".data\ndata: .quad 0\n";
	static const struct {
		const char *symbol;
		uint64_t from, to; /* exclusive */
		struct record_unwind_rule rule;
	} expected[] = {
		{"its_first", 0, 6, {.kind = RECORD_UNWIND_STACK_POINTER, .cfa_offset = 8}},
		{"its_first", 6, 12, {.kind = RECORD_UNWIND_STACK_POINTER, .cfa_offset = 16}},
		{"its_first", 12, 32, {.kind = RECORD_UNWIND_STACK_POINTER, .cfa_offset = 24}},
		{"of_mold", 0, 16, {.kind = RECORD_UNWIND_STACK_POINTER, .cfa_offset = 8}},
		{"described", 0, 1, {.kind = RECORD_UNWIND_STACK_POINTER, .cfa_offset = 40}},
		{"no_stub", 0, 16, {0}},
		{"its_first_one", 0, 6, {.kind = RECORD_UNWIND_STACK_POINTER, .cfa_offset = 16}},
		{"its_first_one", 6, 16, {.kind = RECORD_UNWIND_STACK_POINTER, .cfa_offset = 24}},
		{"of_lld", 0, 16, {.kind = RECORD_UNWIND_PLT, .cfa_offset = 8, .cfa_addend = 11}},
		{"of_ibt", 0, 9, {.kind = RECORD_UNWIND_STACK_POINTER, .cfa_offset = 8}},
		{"of_ibt", 9, 16, {.kind = RECORD_UNWIND_STACK_POINTER, .cfa_offset = 16}},
		{"other", 0, 16, {0}},
	};
	struct unwind_table *table;
	struct program program;

	(void)state;
	program_build(&program, "S", source, "gcc -shared -nostdlib -Wl,-Bsymbolic");
	table = build_of(program.path);
	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
		uint64_t start = address_of(&program, expected[i].symbol);

		for (uint64_t at = expected[i].from; at < expected[i].to; at++)
			assert_rule(table, start + at, expected[i].rule);
	}
	unwind_table_free(table);
	program_remove(&program);
}

/* ---- Without section headers ---- */

static void write_at(const char *path, uint64_t offset, const void *bytes, size_t size)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, bytes, size, (off_t)offset), size);
	close(fd);
}

static void drop_section_headers(const char *path)
{
	static const Elf64_Ehdr bare = {0};

	write_at(path, offsetof(Elf64_Ehdr, e_shoff), &bare.e_shoff, sizeof(bare.e_shoff));
	write_at(path, offsetof(Elf64_Ehdr, e_shnum), &bare.e_shnum,
		 sizeof(bare.e_shnum) + sizeof(bare.e_shstrndx));
}

/* File offset of the header that PT_GNU_EH_FRAME points at. */
static uint64_t eh_frame_header(int fd)
{
	Elf64_Phdr segment = {0};
	Elf64_Ehdr header;

	assert_int_equal(pread(fd, &header, sizeof(header), 0), sizeof(header));
	for (unsigned i = 0; i < header.e_phnum && segment.p_type != PT_GNU_EH_FRAME; i++)
		assert_int_equal(pread(fd, &segment, sizeof(segment),
				       (off_t)(header.e_phoff + i * sizeof(segment))),
				 sizeof(segment));
	assert_int_equal(segment.p_type, PT_GNU_EH_FRAME);
	return segment.p_offset;
}

static void assert_same_table(const struct unwind_table *table, const struct unwind_table *other)
{
	assert_int_equal(table->row_count, other->row_count);
	assert_int_equal(table->rule_count, other->rule_count);
	assert_int_equal(table->refused_count, other->refused_count);
	assert_memory_equal(table->rows, other->rows, table->row_count * sizeof(table->rows[0]));
	assert_memory_equal(table->rules, other->rules,
			    table->rule_count * sizeof(table->rules[0]));
}

/* The same table comes of it: the program header says where .eh_frame is. */
static void assert_same_without_section_headers(const char *suffix, const char *source,
						const char *compiler)
{
	struct unwind_table *table, *other;
	struct program program;

	program_build(&program, suffix, source, compiler);
	table = build_of(program.path);
	drop_section_headers(program.path);
	other = build_of(program.path);
	assert_same_table(table, other);
	unwind_table_free(table);
	unwind_table_free(other);
	program_remove(&program);
}

static void test_tables_are_found_without_section_headers(void **state)
{
	static const char source[] = "#include <stdlib.h>\nint main(void) { return !malloc(1); }\n";
	static const char *const linkers[] = {"bfd", "lld", "gold", "mold"};

	(void)state;
	for (size_t i = 0; i < sizeof(linkers) / sizeof(linkers[0]); i++) {
		char compiler[64];

		snprintf(compiler, sizeof(compiler), "gcc -fuse-ld=%s", linkers[i]);
		assert_same_without_section_headers("c", source, compiler);
	}
}

/* Of 2 MB, which are not read at once; the second time without a zero at their end. */
static void test_large_tables_are_found_without_section_headers(void **state)
{
	static const char source[] = ".text\n.rept 80000\n.cfi_startproc\n nop\n"
				     " .cfi_def_cfa_offset 24\n nop\n .cfi_endproc\n.endr\n"
				     ".section .note.GNU-stack, \"\", @progbits\n";

	(void)state;
	assert_same_without_section_headers("S", source, "gcc -shared");
	assert_same_without_section_headers("S", source, "gcc -shared -nostdlib -fuse-ld=bfd");
}

/* Whatever the bytes that lead to .eh_frame say; without them nothing but the entry is known. */
static void test_a_broken_way_to_the_tables_harms_nobody(void **state)
{
	struct unwind_table *table = NULL;
	struct program program;
	uint8_t original[8];
	uint64_t header;
	int fd;

	(void)state;
	program_build(&program, "c", "int main(void) { return 0; }\n", "gcc");
	drop_section_headers(program.path);
	fd = open(program.path, O_RDONLY | O_CLOEXEC);
	header = eh_frame_header(fd);
	assert_int_equal(pread(fd, original, sizeof(original), (off_t)header), sizeof(original));
	for (size_t at = 0; at < sizeof(original); at++) {
		for (unsigned value = 0; value < 256; value++) {
			uint8_t byte = (uint8_t)value;

			write_at(program.path, header + at, &byte, 1);
			if (!unwind_table_build(fd, &table))
				unwind_table_free(table);
		}
		write_at(program.path, header + at, &original[at], 1);
	}
	assert_int_equal(unwind_table_build(fd, &table), 0);
	assert_true(table->row_count > 5);
	unwind_table_free(table);
	write_at(program.path, header, "\2", 1); /* a version that isn't known */
	assert_int_equal(unwind_table_build(fd, &table), 0);
	assert_true(table->row_count < 5);
	unwind_table_free(table);
	close(fd);
	program_remove(&program);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_debug_frame_describes_what_eh_frame_leaves_out),
		cmocka_unit_test(test_stubs_are_known_by_their_instructions),
		cmocka_unit_test(test_tables_are_found_without_section_headers),
		cmocka_unit_test(test_large_tables_are_found_without_section_headers),
		cmocka_unit_test(test_a_broken_way_to_the_tables_harms_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
