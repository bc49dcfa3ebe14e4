/* SPDX-License-Identifier: Apache-2.0 */
/* What is read of the code objects of real interpreters is what these say of them. */
#include "python/code.h"
#include "python_program.h"

/* Decodes hexadecimal in place; "-" is nothing. */
static void decode(char *text)
{
	char *to = text;

	if (strcmp(text, "-") == 0)
		*text = '\0';
	for (const char *from = text; from[0] && from[1]; from += 2) {
		unsigned int byte;

		assert_int_equal(sscanf(from, "%2x", &byte), 1);
		*to++ = (char)byte;
	}
	*to = '\0';
}

static void assert_text(struct python_program *program, const char *text)
{
	char *line = python_program_line(program);

	assert_non_null(line);
	assert_memory_equal(line, "text ", 5);
	decode(line + 5);
	assert_string_equal(text, line + 5);
}

/* "lines OFFSET:LINE OFFSET:LINE…"; returns how many. */
static size_t assert_lines(struct python_program *program, const struct python_code *code)
{
	char *line = python_program_line(program), *rest;
	size_t count = 0;

	assert_non_null(line);
	assert_memory_equal(line, "lines", 5);
	for (rest = line + 5; *rest; count++) {
		uint32_t offset = (uint32_t)strtoul(rest, &rest, 10);
		uint32_t stated;

		assert_int_equal(*rest, ':');
		stated = (uint32_t)strtoul(rest + 1, &rest, 10);
		if (python_code_line(code, offset) != stated)
			fail_msg("%s %s+%u: line %u instead of %u", python_code_file(code),
				 python_code_function(code), offset, python_code_line(code, offset),
				 stated);
	}
	return count;
}

struct checked {
	size_t codes, instructions;
};

static void check_code(struct python_program *program, const struct python_layout *layout,
		       char *line, struct checked *checked)
{
	uint64_t address = strtoull(line + strlen("code "), &line, 10);
	uint32_t first_line = (uint32_t)strtoul(line, NULL, 10);
	struct python_code *code;
	int error = python_code_read(layout, &program->memory, address, &code);

	if (error)
		fail_msg("code object at %#llx: %d", (unsigned long long)address, error);
	assert_int_equal(python_code_first_line(code), first_line);
	assert_text(program, python_code_file(code));
	assert_text(program, python_code_function(code));
	assert_text(program, python_code_qualified_name(code));
	checked->instructions += assert_lines(program, code);
	checked->codes++;
	assert_string_equal(python_program_line(program), "end");
	assert_true(python_code_is_same(code, layout, &program->memory, address));
	assert_false(python_code_is_same(code, layout, &program->memory, address + 16));
	python_code_release(code);
}

/* Its code objects die with it; what was read of them doesn't. */
static void check_program(struct python_command *command)
{
	struct python_interpreter *interpreter = NULL;
	struct python_program program;
	struct checked checked = {0};
	char *line;

	python_program_start(&program, command, "codes");
	while ((line = python_program_line(&program)) && !memcmp(line, "code ", 5)) {
		if (!interpreter) {
			python_program_map(&program);
			interpreter = python_program_interpreter(&program);
		}
		check_code(&program, python_interpreter_layout(interpreter), line, &checked);
	}
	assert_non_null(interpreter);
	print_message("python %s: %zu code objects, %zu instructions\n",
		      python_interpreter_version(interpreter), checked.codes, checked.instructions);
	assert_true(checked.codes > 500);
	python_interpreter_free(interpreter);
	python_program_stop(&program);
}

static void test_code_objects_read_as_their_interpreter_states_them(void **state)
{
	struct python_commands *pythons = *state;

	for (size_t i = 0; i < pythons->count; i++)
		check_program(&pythons->commands[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_code_objects_read_as_their_interpreter_states_them),
	};

	return cmocka_run_group_tests(tests, pythons_find, pythons_forget);
}
