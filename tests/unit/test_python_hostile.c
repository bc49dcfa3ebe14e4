/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Processes that are no Python, or pretend to be: what lies in them ends in an error with a reason,
 * after bounded work. The forger exports what an interpreter exports, and has in its memory what it
 * is told to.
 */
#include "python/code.h"
#include "python/debug_offsets.h"
#include "python/inspect.h"
#include "python/interpreter.h"
#include "symbol_program.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/uio.h>

/* What one look may read; ten are taken. */
#define READS_MAX 100000

struct subject {
	struct program program;
	size_t reads;
	struct python_memory memory;
	struct module_cache *cache;
	struct address_space *space;
};

static int read_counted(void *context, uint64_t address, void *buffer, size_t bytes)
{
	struct subject *subject = context;
	struct iovec local = {buffer, bytes}, remote = {(void *)(uintptr_t)address, bytes};
	ssize_t count;

	assert_true(++subject->reads < READS_MAX);
	count = process_vm_readv(subject->program.pid, &local, 1, &remote, 1, 0);
	if (count < 0)
		return -errno;
	return (size_t)count == bytes ? 0 : -EFAULT;
}

/* An interpreter of 3.11 with one thread and one frame, all of it forged; then altered. */
static const char forger[] = "#include <stdint.h>\n"
			     "#include <stdio.h>\n"
			     "#include <string.h>\n"
			     "#include <sys/syscall.h>\n"
			     "#include <unistd.h>\n"
			     "#include <pthread.h>\n"
			     "typedef uint64_t word;\n"
			     "word _PyRuntime[128], PyCode_Type[64], Py_Version = 0x030b02f0;\n"
			     "word interpreter[32], thread[32], cframe[4], frame[16], code[32];\n"
			     "word members[6][5], file[16], name[16], table[8];\n"
			     "int _PyEval_EvalFrameDefault(int i) { return i + 1; }\n"
			     "int PyFrame_GetBack, PyCode_NewWithPosOnlyArgs;\n"
			     "#define AT(a, offset) (*(word *)((char *)(a) + (offset)))\n"
			     "static void text(word *t, const char *s)\n"
			     "{\n"
			     "	AT(t, 16) = strlen(s);\n"
			     "	AT(t, 32) = 0x64;\n"
			     "	strcpy((char *)t + 48, s);\n"
			     "}\n"
			     "static void member(int i, const char *s, word offset)\n"
			     "{\n"
			     "	members[i][0] = (word)s;\n"
			     "	members[i][2] = offset;\n"
			     "}\n"
			     "static void build(void)\n"
			     "{\n"
			     "	AT(_PyRuntime, 40) = (word)interpreter;\n"
			     "	AT(interpreter, 16) = (word)thread;\n"
			     "	AT(thread, 56) = (word)cframe;\n"
			     "	AT(thread, 152) = (word)pthread_self();\n"
			     "	AT(thread, 160) = (word)syscall(SYS_gettid);\n"
			     "	AT(cframe, 8) = (word)frame;\n"
			     "	AT(frame, 32) = (word)code;\n"
			     "	AT(code, 8) = (word)PyCode_Type;\n"
			     "	AT(code, 72) = 12;\n"
			     "	AT(code, 112) = (word)file;\n"
			     "	AT(code, 120) = (word)name;\n"
			     "	AT(code, 128) = (word)name;\n"
			     "	AT(code, 136) = (word)table;\n"
			     "	AT(PyCode_Type, 24) = (word)\"code\\0           \";\n"
			     "	AT(PyCode_Type, 240) = (word)members;\n"
			     "	member(0, \"co_filename\\0     \", 112);\n"
			     "	member(1, \"co_name\\0         \", 120);\n"
			     "	member(2, \"co_firstlineno\\0  \", 72);\n"
			     "	member(3, \"co_linetable\\0    \", 136);\n"
			     "	member(4, \"co_qualname\\0     \", 128);\n"
			     "	text(file, \"forged.py\");\n"
			     "	text(name, \"forged\");\n"
			     "}\n"
			     "int main(void)\n"
			     "{\n"
			     "	build();\n"
			     "	ALTER;\n"
			     "	puts(\"1\");\n"
			     "	fflush(stdout);\n"
			     "	getchar();\n"
			     "	return 0;\n"
			     "}\n";

static void start_compiled(struct subject *subject, const char *options, const char *alter)
{
	char compiler[512];

	*subject = (struct subject){.memory = {.read = read_counted, .context = subject}};
	snprintf(compiler, sizeof(compiler), "cc -w -rdynamic -pthread %s '-DALTER=%s'", options,
		 alter);
	program_build(&subject->program, "c", forger, compiler);
	program_start(&subject->program);
	assert_int_equal(program_number(&subject->program), 1);
	subject->cache = module_cache_new(16U << 20, 64);
	assert_non_null(subject->cache);
	subject->space = address_space_new(subject->program.pid, subject->cache);
	assert_non_null(subject->space);
	assert_int_equal(address_space_refresh(subject->space), 0);
}

static void start(struct subject *subject, const char *alter)
{
	start_compiled(subject, "", alter);
}

static void end(struct subject *subject)
{
	address_space_free(subject->space);
	module_cache_free(subject->cache);
	program_remove(&subject->program);
}

static int find(struct subject *subject, char reason[PYTHON_REASON_BYTES])
{
	struct python_interpreter *interpreter;
	int error = python_interpreter_find(subject->space, subject->program.pid, &subject->memory,
					    &interpreter, reason);

	if (!error)
		python_interpreter_free(interpreter);
	return error;
}

/* With the alteration it isn't believed, for a reason that has these words. */
static void assert_refused(const char *alter, int wanted, const char *words)
{
	char reason[PYTHON_REASON_BYTES] = "";
	struct subject subject;
	int error;

	start(&subject, alter);
	error = find(&subject, reason);
	if (error != wanted || !strstr(reason, words))
		fail_msg("%s: %d '%s' instead of %d '%s'", alter, error, reason, wanted, words);
	end(&subject);
}

static void test_forgery_that_contradicts_nothing_is_believed(void **state)
{
	char reason[PYTHON_REASON_BYTES] = "";
	struct subject subject;

	(void)state;
	start(&subject, "");
	assert_int_equal(find(&subject, reason), 0);
	end(&subject);
}

static void test_what_is_not_there_yet_is_waited_for(void **state)
{
	(void)state;
	assert_refused("AT(_PyRuntime, 40) = 0", -EAGAIN, "no thread yet");
	assert_refused("AT(interpreter, 16) = 0", -EAGAIN, "no thread yet");
}

static void test_versions_that_are_not_known_are_said_to_be(void **state)
{
	(void)state;
	assert_refused("Py_Version = 0x030f00f0", -ENOTSUP, "CPython 3.15.0, which isn");
	assert_refused("Py_Version = 0x030b00b1", -ENOTSUP, "CPython 3.11.0 before its release");
	assert_refused("Py_Version = 0xffffffffffffffff", -ENOTSUP, "which isn");
	assert_refused("Py_Version = 0x030d00f0", -EPROTO, "doesn't begin with debug offsets");
	assert_refused("Py_Version = 0x030d00f0; memcpy(_PyRuntime, \"xdebugpy\", 8)", -EPROTO,
		       "another version");
	assert_refused("Py_Version = 0x030d00f0; memcpy(_PyRuntime, \"xdebugpy\", 8); "
		       "_PyRuntime[1] = Py_Version; memset(_PyRuntime + 3, 255, 900)",
		       -EPROTO, "out of bounds");
	assert_refused("Py_Version = 0x030d00f0; memcpy(_PyRuntime, \"xdebugpy\", 8); "
		       "_PyRuntime[1] = Py_Version; _PyRuntime[2] = 1",
		       -ENOTSUP, "free-threaded");
}

static void test_contradictions_are_named(void **state)
{
	(void)state;
	assert_refused("AT(PyCode_Type, 24) = (word)file", -EPROTO, "isn't the type");
	assert_refused("AT(PyCode_Type, 240) = 0", -EFAULT, "PyCode_Type");
	assert_refused("member(1, \"co_name\\0         \", 128)", -EPROTO, "co_name lies at 128");
	assert_refused("members[3][0] = 0", -EPROTO, "no member co_linetable");
	assert_refused("AT(thread, 152) = (word)file", -EPROTO, "none of its 1 threads");
	assert_refused("AT(thread, 160) = 1", -EPROTO, "none of its 1 threads");
	assert_refused("AT(thread, 56) = 0", -EPROTO, "cframe");
	assert_refused("AT(frame, 32) = 0", -EPROTO, "no code");
	assert_refused("AT(code, 8) = (word)interpreter", -EPROTO, "no code object");
	assert_refused("AT(file, 32) = 0", -EPROTO, "names");
	assert_refused("AT(file, 16) = ~0UL", -EPROTO, "names");
	assert_refused("AT(table, 16) = ~0UL", -EPROTO, "names");
}

static void test_wild_pointers_are_survived(void **state)
{
	(void)state;
	assert_refused("AT(_PyRuntime, 40) = 0xdeadbeef0000", -EFAULT, "threads");
	assert_refused("AT(_PyRuntime, 40) = 3", -EPROTO, "no address");
	assert_refused("AT(interpreter, 16) = ~7UL", -EFAULT, "thread");
	assert_refused("AT(frame, 48) = 8", -EPROTO, "");
	assert_refused("AT(frame, 48) = 0xffffffffffff0000", -EPROTO, "");
}

/* They are followed for a while, and what is on them is right: nothing speaks against them. */
static void test_loops_end(void **state)
{
	static const char *const loops[] = {
		"AT(interpreter, 0) = (word)interpreter",
		"AT(thread, 8) = (word)thread",
		"AT(frame, 48) = (word)frame",
		"AT(interpreter, 0) = (word)interpreter; AT(thread, 8) = (word)thread; "
		"AT(frame, 48) = (word)frame",
	};
	char reason[PYTHON_REASON_BYTES];
	struct subject subject;

	(void)state;
	for (size_t i = 0; i < sizeof(loops) / sizeof(*loops); i++) {
		start(&subject, loops[i]);
		assert_int_equal(find(&subject, reason), 0);
		end(&subject);
	}
}

static void test_version_that_is_not_stated_is_told_by_what_is_exported(void **state)
{
	char reason[PYTHON_REASON_BYTES] = "";
	struct subject subject;

	(void)state;
	/* Of 3.9, by its functions, but its code objects are of 3.11. */
	start_compiled(&subject, "-DPy_Version=other", "");
	assert_int_equal(find(&subject, reason), -EPROTO);
	assert_non_null(strstr(reason, "co_filename lies at 112"));
	end(&subject);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forgery_that_contradicts_nothing_is_believed),
		cmocka_unit_test(test_what_is_not_there_yet_is_waited_for),
		cmocka_unit_test(test_versions_that_are_not_known_are_said_to_be),
		cmocka_unit_test(test_contradictions_are_named),
		cmocka_unit_test(test_wild_pointers_are_survived),
		cmocka_unit_test(test_loops_end),
		cmocka_unit_test(test_version_that_is_not_stated_is_told_by_what_is_exported),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
