/* SPDX-License-Identifier: Apache-2.0 */
/* Programs with an interpreter inside: one that runs no Python just now, and one that does. */
#include "python/code.h"
#include "python_program.h"
#include "symbol_program.h"

/* By referring to the type it makes the linker give it a copy, which the interpreter then uses. */
static const char source[] = "#include <Python.h>\n"
			     "int main(void)\n"
			     "{\n"
			     "	Py_Initialize();\n"
			     "	setbuf(stdout, NULL);\n"
			     "	printf(\"%lu\\n\", (unsigned long)&PyCode_Type);\n"
			     "	printf(\"%s\\n\", PY_VERSION);\n"
			     "	WAIT;\n"
			     "	return 0;\n"
			     "}\n";

struct embedded {
	struct program program;
	struct python_program python;
	struct python_interpreter *interpreter;
	uint64_t code_type;
};

static bool has_library(void)
{
	return system("pkg-config --exists python3-embed 2>/dev/null") == 0;
}

static void start(struct embedded *embedded, const char *wait)
{
	struct python_program *python = &embedded->python;
	char compiler[512], version[32];

	snprintf(compiler, sizeof(compiler),
		 "cc -w -no-pie -fno-pic $(pkg-config --cflags python3-embed) '-DWAIT=%s' "
		 "-Wl,--no-as-needed $(pkg-config --libs python3-embed)",
		 wait);
	program_build(&embedded->program, "c", source, compiler);
	program_start(&embedded->program);
	*python = (struct python_program){.memory.read = python_program_read};
	python->memory.context = python;
	python->pid = embedded->program.pid;
	embedded->code_type = program_number(&embedded->program);
	assert_non_null(fgets(version, sizeof(version), embedded->program.output));
	python_program_map(python);
	embedded->interpreter = python_program_interpreter(python);
	version[strcspn(version, "\n+")] = '\0';
	assert_string_equal(python_interpreter_version(embedded->interpreter), version);
}

static void end(struct embedded *embedded)
{
	python_interpreter_free(embedded->interpreter);
	address_space_free(embedded->python.space);
	module_cache_free(embedded->python.cache);
	program_remove(&embedded->program);
}

static void test_interpreter_is_found_that_runs_nothing(void **state)
{
	struct embedded embedded;

	(void)state;
	if (!has_library()) {
		print_message("NOT RUN: there is no libpython to build with\n");
		return;
	}
	start(&embedded, "getchar()");
	/* Which of the two types is in use no frame says. */
	assert_int_equal(python_interpreter_layout(embedded.interpreter)->code_type, 0);
	end(&embedded);
}

static void test_type_of_code_objects_may_be_a_copy_in_the_program(void **state)
{
	struct embedded embedded;

	(void)state;
	if (!has_library()) {
		print_message("NOT RUN: there is no libpython to build with\n");
		return;
	}
	start(&embedded, "PyRun_SimpleString(\"import sys\\n"
			 "print(sys.version_info[0], flush=True)\\nsys.stdin.read()\")");
	assert_int_equal(program_number(&embedded.program), 3);
	python_interpreter_free(embedded.interpreter);
	embedded.interpreter = python_program_interpreter(&embedded.python);
	assert_int_equal(python_interpreter_layout(embedded.interpreter)->code_type,
			 embedded.code_type);
	end(&embedded);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_interpreter_is_found_that_runs_nothing),
		cmocka_unit_test(test_type_of_code_objects_may_be_a_copy_in_the_program),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
