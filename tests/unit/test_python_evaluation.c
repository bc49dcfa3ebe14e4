/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of an evaluation function, in files with and without symbols for them. */
#include "python/evaluation.h"
#include "python/interpreter_file.h"
#include "symbol_program.h"

#include <errno.h>

/* A function in three parts, and others that might be taken for more of it. */
static const char source[] = "	.data\n"
			     "	.globl _PyRuntime, PyCode_Type, Py_Version\n"
			     "_PyRuntime: .quad 0\n"
			     "PyCode_Type: .quad 0\n"
			     "Py_Version: .quad 0x030b02f0\n"
			     "	.text\n"
			     "	.globl main, _PyEval_EvalFrameDefault\n"
			     "main:	.cfi_startproc\n"
			     "	xor %eax, %eax\n"
			     "	ret\n"
			     "	.cfi_endproc\n"
			     "	.size main, . - main\n"
			     "	.type _PyEval_EvalFrameDefault, @function\n"
			     "_PyEval_EvalFrameDefault:\n"
			     "	.cfi_startproc\n"
			     "	test %edi, %edi\n"
			     "	je cold\n"
			     "back:	inc %eax\n"
			     "	ret\n"
			     "	.fill 300, 1, 0x90\n"
			     "	.cfi_endproc\n"
			     "	.size _PyEval_EvalFrameDefault, . - _PyEval_EvalFrameDefault\n"
			     "after:	.fill 300, 1, 0x90\n"
			     /* It ends by a call, as of any function. */
			     "calls:	.cfi_startproc\n"
			     "	dec %eax\n"
			     "	.byte 0xe9\n"
			     "	.long _PyEval_EvalFrameDefault - . - 4\n"
			     "	.cfi_endproc\n"
			     /* What looks like a jump is part of a number. */
			     "numbers: .cfi_startproc\n"
			     "	.byte 0x48, 0xb8, 0x90, 0xe9\n"
			     "	.long back - . - 4\n"
			     "	.byte 0x90, 0x90\n"
			     "	ret\n"
			     "	.cfi_endproc\n"
			     "	.section .text.unlikely, \"ax\", @progbits\n"
			     "cold:	.cfi_startproc\n"
			     "	mov $2, %eax\n"
			     "	.byte 0x0f, 0x84\n"
			     "	.long colder - . - 4\n"
			     "	.byte 0xe9\n"
			     "	.long back - . - 4\n"
			     "	.cfi_endproc\n"
			     "cold_end: .fill 32, 1, 0x90\n"
			     /* This one is jumped to and jumps back to the cold part alone. */
			     "colder: .cfi_startproc\n"
			     "	mov $3, %eax\n"
			     "	.byte 0xe9\n"
			     "	.long cold - . - 4 + 5\n"
			     "	.cfi_endproc\n"
			     "colder_end: .fill 8, 1, 0x90\n"
			     "	.section .note.GNU-stack, \"\", @progbits\n";

static uint64_t symbol_address(const struct program *program, const char *name)
{
	char command[256];
	uint64_t address;
	FILE *output;

	snprintf(command, sizeof(command), "nm %s | awk '$3 == \"%s\" { print \"0x\" $1 }'",
		 program->path, name);
	output = popen(command, "r");
	assert_non_null(output);
	assert_int_equal(fscanf(output, "%li", (long *)&address), 1);
	pclose(output);
	return address;
}

static size_t find_parts(const struct program *program,
			 struct evaluation_part parts[static EVALUATION_PARTS_MAX])
{
	int fd = open(program->path, O_RDONLY | O_CLOEXEC);
	struct interpreter_symbols symbols;
	size_t count;

	assert_true(fd >= 0);
	assert_int_equal(interpreter_symbols_read(fd, &symbols), 0);
	assert_int_not_equal(symbols.runtime, 0);
	assert_int_not_equal(symbols.version, 0);
	assert_int_not_equal(symbols.code_type, 0);
	count = evaluation_parts_find(fd, symbols.evaluation, symbols.evaluation_bytes, parts);
	close(fd);
	return count;
}

static void assert_part(const struct evaluation_part *part, uint64_t start, uint64_t end)
{
	assert_int_equal(part->start, start);
	assert_int_equal(part->end, end);
}

static void test_rare_parts_are_found_by_how_they_jump_without_a_symbol(void **state)
{
	struct evaluation_part parts[EVALUATION_PARTS_MAX];
	uint64_t places[6];
	struct program program;

	(void)state;
	program_build(&program, "S", source, "cc -rdynamic");
	places[0] = symbol_address(&program, "_PyEval_EvalFrameDefault");
	places[1] = symbol_address(&program, "after");
	places[2] = symbol_address(&program, "cold");
	places[3] = symbol_address(&program, "cold_end");
	places[4] = symbol_address(&program, "colder");
	places[5] = symbol_address(&program, "colder_end");
	for (int is_stripped = 0; is_stripped < 2; is_stripped++) {
		if (is_stripped)
			run_command("strip %s", program.path);
		assert_int_equal(find_parts(&program, parts), 3);
		assert_part(&parts[0], places[0], places[1]);
		assert_part(&parts[1], places[2], places[3]);
		assert_part(&parts[2], places[4], places[5]);
	}
	program_remove(&program);
}

static void test_without_call_frame_information_the_symbol_is_what_counts(void **state)
{
	struct evaluation_part parts[EVALUATION_PARTS_MAX];
	struct program program;

	(void)state;
	program_build(&program, "S", source, "cc -rdynamic");
	run_command("objcopy --remove-section .eh_frame --remove-section .eh_frame_hdr %s",
		    program.path);
	assert_int_equal(find_parts(&program, parts), 1);
	assert_part(&parts[0], symbol_address(&program, "_PyEval_EvalFrameDefault"),
		    symbol_address(&program, "after"));
	program_remove(&program);
}

static void test_program_may_keep_its_interpreter_to_itself(void **state)
{
	struct evaluation_part parts[EVALUATION_PARTS_MAX];
	struct interpreter_symbols symbols;
	struct program program;
	int fd;

	(void)state;
	program_build(&program, "S", source, "cc");
	assert_int_equal(find_parts(&program, parts), 3);
	run_command("strip %s", program.path);
	fd = open(program.path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(interpreter_symbols_read(fd, &symbols), -ENOENT);
	close(fd);
	program_remove(&program);
}

static void test_files_without_an_interpreter_have_none(void **state)
{
	struct interpreter_symbols symbols;
	struct program program;
	int fd;

	(void)state;
	program_build(&program, "c",
		      "extern int _PyRuntime; int main(void) { return !&_PyRuntime; }\n",
		      "cc -shared -fPIC");
	fd = open(program.path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(interpreter_symbols_read(fd, &symbols), -ENOENT);
	close(fd);
	fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	assert_int_not_equal(interpreter_symbols_read(fd, &symbols), 0);
	close(fd);
	program_remove(&program);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rare_parts_are_found_by_how_they_jump_without_a_symbol),
		cmocka_unit_test(test_without_call_frame_information_the_symbol_is_what_counts),
		cmocka_unit_test(test_program_may_keep_its_interpreter_to_itself),
		cmocka_unit_test(test_files_without_an_interpreter_have_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
