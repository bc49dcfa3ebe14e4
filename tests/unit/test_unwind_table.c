/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unwind tables: every row of real libraries held against what elfutils reads there, and assembly
 * with one description of each kind.
 */
#include "unwind/machine.h"
#include "unwind_program.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <errno.h>
#include <gelf.h>

/* ---- What elfutils says ---- */

struct reference {
	Elf *elf;
	Dwarf_CFI *cfi;
	uint64_t entry;
};

static bool is_frame_base(uint8_t atom)
{
	return atom == DW_OP_breg6 || atom == DW_OP_breg7;
}

static uint8_t kind_of(uint8_t atom, bool is_dereferenced)
{
	if (atom == DW_OP_breg7)
		return is_dereferenced ? RECORD_UNWIND_DEREFERENCED_STACK_POINTER
				       : RECORD_UNWIND_STACK_POINTER;
	return is_dereferenced ? RECORD_UNWIND_DEREFERENCED_FRAME_POINTER
			       : RECORD_UNWIND_FRAME_POINTER;
}

/* Of the expressions that occur: base, base and deref, with an addend, the PLT's. */
static bool reference_cfa(const Dwarf_Op *ops, size_t count, bool is_signal,
			  struct record_unwind_rule *rule)
{
	Dwarf_Op base;

	if (count == 9 && ops[2].atom == DW_OP_lit15) {
		rule->kind = RECORD_UNWIND_PLT;
		rule->cfa_offset = (int32_t)ops[0].number;
		rule->cfa_addend = (int16_t)(ops[4].atom - DW_OP_lit0);
		return true;
	}
	if (!count || count > 3 || (count > 1 && ops[1].atom != DW_OP_deref) ||
	    (count > 2 && ops[2].atom != DW_OP_plus_uconst))
		return false;
	rule->cfa_addend = (int16_t)(count > 2 ? ops[2].number : 0);
	base = ops[0];
	/* A register and an offset, that weren't written as an expression. */
	if (base.atom == DW_OP_bregx)
		base = (Dwarf_Op){.atom = (uint8_t)(DW_OP_breg0 + base.number),
				  .number = base.number2};
	if (!is_frame_base(base.atom))
		return false;
	rule->kind = kind_of(base.atom, count > 1);
	rule->cfa_offset = (int32_t)base.number;
	if (is_signal && rule->kind == RECORD_UNWIND_DEREFERENCED_STACK_POINTER) {
		rule->kind = RECORD_UNWIND_SIGNAL;
		rule->cfa_offset -= 120;
	}
	return true;
}

static bool is_at_cfa(const Dwarf_Op *ops, size_t count, int64_t *offset)
{
	if (!count || count > 2 || ops[0].atom != DW_OP_call_frame_cfa ||
	    (count == 2 && ops[1].atom != DW_OP_plus_uconst))
		return false;
	*offset = count == 2 ? (int64_t)ops[1].number : 0;
	return true;
}

static void reference_frame_pointer(Dwarf_Frame *frame, struct record_unwind_rule *rule)
{
	Dwarf_Op memory[3], *ops;
	size_t count;
	int64_t offset;

	assert_int_equal(dwarf_frame_register(frame, MACHINE_FRAME_POINTER, memory, &ops, &count),
			 0);
	rule->frame_pointer = RECORD_UNWIND_FRAME_POINTER_LOST;
	if (!count && !ops) {
		rule->frame_pointer = RECORD_UNWIND_FRAME_POINTER_SAME;
	} else if (is_at_cfa(ops, count, &offset)) {
		rule->frame_pointer = RECORD_UNWIND_FRAME_POINTER_AT_CFA;
		rule->frame_pointer_offset = (int16_t)offset;
	} else if (count == 1 && ops[0].atom == DW_OP_breg6) {
		rule->frame_pointer = RECORD_UNWIND_FRAME_POINTER_AT_FRAME_POINTER;
		rule->frame_pointer_offset = (int16_t)ops[0].number;
	}
}

static struct record_unwind_rule reference_rule(const struct reference *reference, uint64_t address)
{
	struct record_unwind_rule rule = {0};
	Dwarf_Op memory[3], *ops;
	Dwarf_Frame *frame;
	bool is_signal;
	size_t count;
	int64_t offset;

	if (dwarf_cfi_addrframe(reference->cfi, address, &frame))
		return rule;
	assert_int_equal(dwarf_frame_info(frame, NULL, NULL, &is_signal), 16);
	assert_int_equal(dwarf_frame_register(frame, 16, memory, &ops, &count), 0);
	if (!count && ops) {
		rule.kind = RECORD_UNWIND_END;
	} else {
		bool is_plain = is_at_cfa(ops, count, &offset) && offset == -8;
		Dwarf_Op *cfa;

		assert_int_equal(dwarf_frame_cfa(frame, &cfa, &count), 0);
		if (!reference_cfa(cfa, count, is_signal, &rule) ||
		    (rule.kind != RECORD_UNWIND_SIGNAL && (!is_plain || is_signal)))
			rule = (struct record_unwind_rule){.kind = RECORD_UNWIND_UNSUPPORTED};
		else if (rule.kind != RECORD_UNWIND_SIGNAL)
			reference_frame_pointer(frame, &rule);
	}
	free(frame);
	return rule;
}

/* ---- Real files ---- */

static void compare_at(const struct unwind_table *table, const struct reference *reference,
		       const char *path, uint64_t address)
{
	const struct record_unwind_rule *rule = unwind_table_find(table, address);
	struct record_unwind_rule expected = reference_rule(reference, address);

	/* What elfutils knows nothing of: a _start without description. */
	if (!expected.kind && address >= reference->entry && address < reference->entry + 64 &&
	    rule->kind == RECORD_UNWIND_END)
		return;
	if (memcmp(rule, &expected, sizeof(expected)) != 0)
		fail_msg("%s at %#llx: kind %d, CFA %d/%d, rbp %d %d; elfutils says %d, %d/%d, %d "
			 "%d",
			 path, (unsigned long long)address, rule->kind, rule->cfa_offset,
			 rule->cfa_addend, rule->frame_pointer, rule->frame_pointer_offset,
			 expected.kind, expected.cfa_offset, expected.cfa_addend,
			 expected.frame_pointer, expected.frame_pointer_offset);
}

/* Where each row begins, right before it, and in its midst. */
static size_t compare_all(const struct unwind_table *table, const struct reference *reference,
			  const char *path)
{
	size_t compared = 0;

	for (size_t number = 0; number < table->page_count; number++) {
		const struct unwind_page *page = &table->pages[number];
		uint64_t start = table->first_address + (number << RECORD_UNWIND_PAGE_SHIFT);

		for (uint32_t i = 0; i < page->row_count; i++) {
			const struct record_unwind_row *row = &table->rows[page->first_row + i];
			uint64_t address = start + row->low_address;
			uint64_t next =
				start + (i + 1 < page->row_count ? row[1].low_address
								 : 1U << RECORD_UNWIND_PAGE_SHIFT);

			compare_at(table, reference, path, address);
			compare_at(table, reference, path, address + (next - address) / 2);
			compare_at(table, reference, path, next - 1);
			compared += 3;
		}
	}
	return compared;
}

static void compare_file(const char *path)
{
	struct unwind_table *table = build_of(path);
	struct reference reference;
	GElf_Ehdr header;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t compared;

	elf_version(EV_CURRENT);
	reference.elf = elf_begin(fd, ELF_C_READ_MMAP, NULL);
	reference.cfi = dwarf_getcfi_elf(reference.elf);
	assert_non_null(reference.cfi);
	assert_non_null(gelf_getehdr(reference.elf, &header));
	reference.entry = header.e_entry;
	compared = compare_all(table, &reference, path);
	printf("%s: %zu rows, %zu rules, %zu unsupported, %zu refused, %zu lookups\n", path,
	       table->row_count, table->rule_count, table->unsupported_count, table->refused_count,
	       compared);
	/* Nothing that compilers make is left out; a few hand-written functions can be. */
	assert_true(table->unsupported_count < 10 + table->row_count / 200);
	assert_int_equal(table->refused_count, 0);
	assert_true(table->row_count > 100);
	dwarf_cfi_end(reference.cfi);
	elf_end(reference.elf);
	close(fd);
	unwind_table_free(table);
}

static void test_real_files_are_read_as_elfutils_reads_them(void **state)
{
	static const char *const paths[] = {
		"/lib/x86_64-linux-gnu/libc.so.6",
		"/lib64/ld-linux-x86-64.so.2",
		"/usr/lib/x86_64-linux-gnu/libstdc++.so.6",
		"/usr/lib/x86_64-linux-gnu/libcrypto.so.3",
		"/usr/bin/python3",
		"/proc/self/exe",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		compare_file(paths[i]);
}

/* ---- One of each kind ---- */

static const char every_kind[] =
	".text\n"
	".globl plain, framed, realigned, signalled, ended, lost, odd, elsewhere, bare, again\n"
	"plain: .cfi_startproc\n"
	" nop\n .cfi_def_cfa_offset 24\n nop\n .cfi_endproc\n"
	"bare: nop\n nop\n"
	"framed: .cfi_startproc\n .cfi_def_cfa_offset 16\n .cfi_offset %rbp, -16\n"
	" .cfi_def_cfa_register %rbp\n nop\n .cfi_endproc\n"
	"realigned: .cfi_startproc\n .cfi_escape 0x0f,3,0x76,0x78,0x06\n" /* *(rbp - 8) */
	" .cfi_escape 0x10,6,2,0x76,0\n nop\n .cfi_endproc\n"             /* rbp at rbp + 0 */
	"signalled: .cfi_startproc\n .cfi_signal_frame\n"
	" .cfi_escape 0x0f,4,0x77,0xa0,1,0x06\n nop\n .cfi_endproc\n" /* *(rsp + 160) */
	"ended: .cfi_startproc\n .cfi_undefined %rip\n nop\n .cfi_endproc\n"
	"lost: .cfi_startproc\n .cfi_undefined %rbp\n nop\n .cfi_endproc\n"
	"odd: .cfi_startproc\n .cfi_def_cfa %rbx, 16\n nop\n .cfi_endproc\n"
	"elsewhere: .cfi_startproc\n .cfi_register %rip, %rax\n nop\n .cfi_endproc\n"
	"again: .cfi_startproc\n .cfi_remember_state\n nop\n .cfi_def_cfa_offset 64\n"
	" .cfi_restore_state\n nop\n .cfi_endproc\n";

static void test_every_kind_of_description(void **state)
{
	const struct record_unwind_rule at_entry = {.kind = RECORD_UNWIND_STACK_POINTER,
						    .cfa_offset = 8};
	struct record_unwind_rule rule = at_entry;
	struct unwind_table *table;
	struct program program;

	(void)state;
	program_build(&program, "S", every_kind, "gcc -shared -nostdlib");
	table = build_of(program.path);
	assert_rule(table, address_of(&program, "plain"), at_entry);
	rule.cfa_offset = 24;
	assert_rule(table, address_of(&program, "plain") + 1, rule);
	assert_rule(table, address_of(&program, "bare"), (struct record_unwind_rule){0});
	assert_rule(table, address_of(&program, "framed"),
		    (struct record_unwind_rule){.kind = RECORD_UNWIND_FRAME_POINTER,
						.cfa_offset = 16,
						.frame_pointer = RECORD_UNWIND_FRAME_POINTER_AT_CFA,
						.frame_pointer_offset = -16});
	assert_rule(table, address_of(&program, "realigned"),
		    (struct record_unwind_rule){
			    .kind = RECORD_UNWIND_DEREFERENCED_FRAME_POINTER,
			    .cfa_offset = -8,
			    .frame_pointer = RECORD_UNWIND_FRAME_POINTER_AT_FRAME_POINTER});
	assert_rule(table, address_of(&program, "signalled"),
		    (struct record_unwind_rule){.kind = RECORD_UNWIND_SIGNAL, .cfa_offset = 40});
	assert_rule(table, address_of(&program, "ended"),
		    (struct record_unwind_rule){.kind = RECORD_UNWIND_END});
	rule = at_entry;
	rule.frame_pointer = RECORD_UNWIND_FRAME_POINTER_LOST;
	assert_rule(table, address_of(&program, "lost"), rule);
	assert_rule(table, address_of(&program, "odd"),
		    (struct record_unwind_rule){.kind = RECORD_UNWIND_UNSUPPORTED});
	assert_rule(table, address_of(&program, "elsewhere"),
		    (struct record_unwind_rule){.kind = RECORD_UNWIND_UNSUPPORTED});
	assert_rule(table, address_of(&program, "again"), at_entry);
	assert_rule(table, address_of(&program, "again") + 1, at_entry);
	assert_int_equal(table->unsupported_count, 2);
	unwind_table_free(table);
	program_remove(&program);
}

/* A function over several pages: each begins with what holds there. */
static void test_pages_begin_with_what_holds(void **state)
{
	static const char source[] = ".text\n.globl large\nlarge: .cfi_startproc\n"
				     " .cfi_def_cfa_offset 32\n .skip 300000, 0x90\n"
				     " .cfi_def_cfa_offset 48\n nop\n .cfi_endproc\n";
	struct record_unwind_rule rule = {.kind = RECORD_UNWIND_STACK_POINTER, .cfa_offset = 32};
	struct unwind_table *table;
	struct program program;
	uint64_t start;

	(void)state;
	program_build(&program, "S", source, "gcc -shared -nostdlib");
	table = build_of(program.path);
	start = address_of(&program, "large");
	for (uint64_t offset = 0; offset < 300000; offset += 999)
		assert_rule(table, start + offset, rule);
	rule.cfa_offset = 48;
	assert_rule(table, start + 300000, rule);
	assert_rule(table, start + 300001, (struct record_unwind_rule){0});
	assert_rule(table, start - 1, (struct record_unwind_rule){0});
	assert_true(table->page_count >= 5);
	for (size_t i = 0; i < table->page_count; i++)
		assert_int_equal(table->rows[table->pages[i].first_row].low_address, 0);
	unwind_table_free(table);
	program_remove(&program);
}

/* Of a file with V8, the one large piece that nothing describes is code of V8's; of others none is.
 */
static void test_code_of_v8_is_known_by_its_size(void **state)
{
	static const char source[] =
		".text\n.globl before\nbefore: .cfi_startproc\n nop\n .cfi_endproc\n"
		".globl small\nsmall: .skip 100000, 0x90\n"
		".globl %s\n%s: .cfi_startproc\n nop\n .cfi_endproc\n"
		".globl blob\nblob: .skip 300000, 0x90\n"
		".globl after\nafter: .cfi_startproc\n nop\n .cfi_endproc\n";
	static const char *const names[] = {"_ZN2v82V810GetVersionEv", "_ZN2v82V811GetVersionEv"};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		const struct record_unwind_rule none = {0};
		struct record_unwind_rule expected = i ? none : machine_v8_rule();
		char text[sizeof(source) + 100];
		struct unwind_table *table;
		struct program program;
		uint64_t blob;

		snprintf(text, sizeof(text), source, names[i], names[i]);
		program_build(&program, "S", text, "gcc -shared -nostdlib");
		table = build_of(program.path);
		blob = address_of(&program, "blob");
		assert_rule(table, blob, expected);
		assert_rule(table, blob + 299999, expected);
		assert_rule(table, address_of(&program, "small") + 50000, none);
		assert_int_equal(unwind_table_find(table, blob + 300000)->kind,
				 RECORD_UNWIND_STACK_POINTER);
		assert_int_equal(table->rules[table->made_code_rule].kind, expected.kind);
		unwind_table_free(table);
		program_remove(&program);
	}
}

/* ---- What is no such file ---- */

static void test_files_without_tables_are_refused(void **state)
{
	struct unwind_table *table;
	struct program program;
	int fd;

	(void)state;
	fd = open("/etc/passwd", O_RDONLY | O_CLOEXEC);
	assert_int_equal(unwind_table_build(fd, &table), -ENOEXEC);
	close(fd);
	program_build(&program, "S", ".text\n.globl one\none: nop\n", "gcc -shared -nostdlib");
	run_command("objcopy -R .eh_frame -R .eh_frame_hdr %s", program.path);
	fd = open(program.path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(unwind_table_build(fd, &table), -ENODATA);
	close(fd);
	program_remove(&program);
}

/* Compilers for programs that never throw put it there. */
static void test_debug_frame_serves_where_there_is_no_other(void **state)
{
	static const char source[] = ".cfi_sections .debug_frame\n.text\n.globl one\n"
				     "one: .cfi_startproc\n .cfi_def_cfa_offset 40\n nop\n"
				     " .cfi_endproc\n";
	struct unwind_table *table;
	struct program program;

	(void)state;
	program_build(&program, "S", source, "gcc -shared -nostdlib");
	table = build_of(program.path);
	assert_rule(
		table, address_of(&program, "one"),
		(struct record_unwind_rule){.kind = RECORD_UNWIND_STACK_POINTER, .cfa_offset = 40});
	unwind_table_free(table);
	program_remove(&program);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_real_files_are_read_as_elfutils_reads_them),
		cmocka_unit_test(test_every_kind_of_description),
		cmocka_unit_test(test_pages_begin_with_what_holds),
		cmocka_unit_test(test_code_of_v8_is_known_by_its_size),
		cmocka_unit_test(test_files_without_tables_are_refused),
		cmocka_unit_test(test_debug_frame_serves_where_there_is_no_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
