/* SPDX-License-Identifier: Apache-2.0 */
#include "symbol/address_space.h"
#include "symbol_program.h"

#include <dlfcn.h>
#include <errno.h>
#include <sched.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/mount.h>

/* States where it was called from, in which line, and where the function itself lies. */
static const char c_program[] = "#include <stdio.h>\n"
				"__attribute__((noinline)) void *allocate_rows(void)\n"
				"{\n"
				"	return __builtin_return_address(0);\n"
				"}\n"
				"int main(void)\n"
				"{\n"
				"	void *caller = allocate_rows(); int line = __LINE__;\n"
				"	printf(\"%p\\n%d\\n%p\\n\", caller, line, "
				"(void *)allocate_rows);\n"
				"	fflush(stdout);\n"
				"	return getchar() != EOF;\n"
				"}\n";

static const char cxx_program[] =
	"#include <cstdio>\n"
	"namespace store {\n"
	"template <typename T> struct Shards {\n"
	"	__attribute__((noinline)) static void *load(T) "
	"{ return __builtin_return_address(0); }\n"
	"	__attribute__((noinline)) static void *reload(T value) {\n"
	"		void *caller = load(value); asm volatile(\"\" ::: \"memory\");\n"
	"		return caller;\n"
	"	}\n"
	"};\n"
	"}\n"
	"int main() {\n"
	"	printf(\"%p\\n\", store::Shards<int>::reload(7));\n"
	"	fflush(stdout);\n"
	"	return getchar() != EOF;\n"
	"}\n";

struct names {
	struct module_cache *cache;
	struct address_space *space;
	struct module *module;
	struct symbol_name name;
	int error;
};

static void names_open(struct names *names, pid_t pid)
{
	*names = (struct names){.cache = module_cache_new(16 << 20, 256)};
	assert_non_null(names->cache);
	names->space = address_space_new(pid, names->cache);
	assert_non_null(names->space);
}

static void names_close(struct names *names)
{
	address_space_free(names->space);
	module_cache_free(names->cache);
}

static void names_find(struct names *names, uint64_t address)
{
	uint64_t file_offset;

	names->name = (struct symbol_name){0};
	names->error = address_space_resolve(names->space, address, &names->module, &file_offset);
	if (!names->error)
		names->error = module_symbolize(names->module, file_offset, &names->name);
}

static void assert_ends_with(const char *text, const char *end)
{
	assert_non_null(text);
	assert_true(strlen(text) >= strlen(end));
	assert_string_equal(text + strlen(text) - strlen(end), end);
}

/* compiler with its options; expected_file is NULL when it writes no lines. */
static void assert_names_function_and_line(const char *compiler, const char *expected_file)
{
	struct program program;
	struct names names;
	uint64_t caller, line, function;

	program_build(&program, "c", c_program, compiler);
	program_start(&program);
	caller = program_number(&program);
	line = program_number(&program);
	function = program_number(&program);
	names_open(&names, program.pid);
	assert_int_equal(address_space_refresh(names.space), 0);

	names_find(&names, caller - 1);
	assert_int_equal(names.error, 0);
	assert_string_equal(names.name.function, "main");
	assert_string_equal(module_path(names.module), program.path);
	if (expected_file) {
		assert_ends_with(names.name.file, expected_file);
		assert_int_equal(names.name.line, line);
	} else {
		assert_null(names.name.file);
		assert_int_equal(names.name.line, 0);
	}
	names_find(&names, function);
	assert_string_equal(names.name.function, "allocate_rows");
	assert_int_equal(names.name.function_offset, 0);
	names_find(&names, function + 1);
	assert_int_equal(names.name.function_offset, 1);

	names_close(&names);
	program_remove(&program);
}

static void test_functions_and_lines_are_named_however_it_was_built(void **state)
{
	(void)state;
	assert_names_function_and_line("gcc -O1 -g", "/program.c");
	assert_names_function_and_line("gcc -O1 -g -no-pie", "/program.c");
	assert_names_function_and_line("gcc -O1 -g -static", "/program.c");
	assert_names_function_and_line("gcc -O1 -g -static-pie", "/program.c");
	assert_names_function_and_line("gcc -O1 -g -gz=zlib", "/program.c");
	assert_names_function_and_line("gcc -O1 -g -ffunction-sections -Wl,--gc-sections",
				       "/program.c");
	assert_names_function_and_line("gcc -O1 -gdwarf-4", "program.c");
	assert_names_function_and_line("gcc -O1 -gdwarf-3", "program.c");
	assert_names_function_and_line("gcc -O1 -g -gdwarf64", "/program.c");
	assert_names_function_and_line("gcc -O1 -g -flto", "/program.c");
	assert_names_function_and_line("clang -O1 -g", "/program.c");
	assert_names_function_and_line("clang -O1 -gdwarf-4", "program.c");
	assert_names_function_and_line("clang -O1 -gline-tables-only", "/program.c");
	assert_names_function_and_line("gcc -O1", NULL);
	assert_names_function_and_line("gcc -O1 -rdynamic -s", NULL);
}

static void test_cxx_functions_are_demangled(void **state)
{
	struct program program;
	struct names names;
	uint64_t caller;

	(void)state;
	program_build(&program, "cc", cxx_program, "g++ -O1 -g");
	program_start(&program);
	caller = program_number(&program);
	names_open(&names, program.pid);
	assert_int_equal(address_space_refresh(names.space), 0);
	names_find(&names, caller - 1);
	assert_int_equal(names.error, 0);
	assert_string_equal(names.name.function, "store::Shards<int>::reload(int)");
	assert_ends_with(names.name.file, "/program.cc");
	assert_int_equal(names.name.line, 6);
	names_close(&names);
	program_remove(&program);
}

static void test_stripped_program_keeps_module_and_offset(void **state)
{
	struct program program;
	struct names names;
	struct symbol_name name;
	struct module *module;
	uint64_t caller, offset;

	(void)state;
	program_build(&program, "c", c_program, "gcc -O1 -s");
	program_start(&program);
	caller = program_number(&program);
	names_open(&names, program.pid);
	assert_int_equal(address_space_refresh(names.space), 0);
	assert_int_equal(address_space_resolve(names.space, caller, &module, &offset), 0);
	assert_int_equal(module_symbolize(module, offset, &name), -ENOENT);
	assert_string_equal(module_path(module), program.path);
	assert_int_equal(strlen(module_build_id(module)), 40);
	assert_int_equal(module_word_bits(module), 64);
	names_close(&names);
	program_remove(&program);
}

static void test_kernel_code_in_a_process_is_named(void **state)
{
	struct program program;
	struct names names, more;
	bool is_named = false;
	uint64_t start;
	size_t files;

	(void)state;
	program_build(&program, "c",
		      "#include <stdio.h>\n#include <sys/auxv.h>\n"
		      "int main(void) { printf(\"%#lx\\n\", getauxval(AT_SYSINFO_EHDR)); "
		      "fflush(stdout); return getchar() != EOF; }\n",
		      "gcc -O1");
	program_start(&program);
	start = program_number(&program);
	assert_true(start > 0);
	names_open(&names, program.pid);
	assert_int_equal(address_space_refresh(names.space), 0);
	for (uint64_t offset = 0; offset < 4096 && !is_named; offset++) {
		names_find(&names, start + offset);
		is_named = !names.error && !strcmp(names.name.function, "clock_gettime");
	}
	assert_true(is_named);
	assert_string_equal(module_path(names.module), "[vdso]");

	/* It is the same in each process, and nothing that could be probed. */
	files = address_space_file_count(names.space);
	for (size_t i = 0; i < files; i++)
		assert_ptr_not_equal(address_space_file(names.space, i)->module, names.module);
	more = (struct names){.cache = names.cache,
			      .space = address_space_new(getpid(), names.cache)};
	assert_int_equal(address_space_refresh(more.space), 0);
	names_find(&more, getauxval(AT_SYSINFO_EHDR));
	assert_ptr_equal(more.module, names.module);
	address_space_free(more.space);
	names_close(&names);
	program_remove(&program);
}

static void test_names_survive_exit_and_deletion(void **state)
{
	struct program program;
	struct names names;
	uint64_t caller, line;

	(void)state;
	program_build(&program, "c", c_program, "gcc -O1 -g");
	program_start(&program);
	caller = program_number(&program);
	line = program_number(&program);
	names_open(&names, program.pid);
	assert_int_equal(address_space_refresh(names.space), 0);
	program_remove(&program);

	assert_int_equal(address_space_refresh(names.space), -ESRCH);
	names_find(&names, caller - 1);
	assert_string_equal(names.name.function, "main");
	assert_int_equal(names.name.line, line);
	names_close(&names);
}

/* The mapped file of the module that was found last. */
static struct address_space_file find_file(const struct names *names)
{
	for (size_t i = 0; i < address_space_file_count(names->space); i++)
		if (address_space_file(names->space, i)->module == names->module)
			return *address_space_file(names->space, i);
	fail_msg("no file of the module is mapped");
	return (struct address_space_file){0};
}

static void test_copies_of_a_file_are_files_of_one_module(void **state)
{
	struct program library;
	struct names names;
	uint64_t first, second;
	char copy[sizeof(library.path) + 8];
	struct module *module;
	size_t files;
	void *handles[2];

	(void)state;
	program_build(&library, "c", "int plugin_entry(void) { return 7; }\n",
		      "gcc -shared -fPIC -Wl,--build-id");
	snprintf(copy, sizeof(copy), "%s.copy", library.path);
	run_command("cp -p %s %s && chmod 755 %s %s", library.path, copy, library.path, copy);
	names_open(&names, getpid());
	assert_int_equal(address_space_refresh(names.space), 0);
	files = address_space_file_count(names.space);
	handles[0] = dlopen(library.path, RTLD_NOW);
	handles[1] = dlopen(copy, RTLD_NOW);
	assert_non_null(handles[0]);
	assert_non_null(handles[1]);
	first = (uint64_t)(uintptr_t)dlsym(handles[0], "plugin_entry");
	second = (uint64_t)(uintptr_t)dlsym(handles[1], "plugin_entry");
	assert_int_not_equal(first, second);
	assert_int_equal(address_space_refresh(names.space), 0);
	assert_int_equal(address_space_file_count(names.space), files + 2);
	names_find(&names, first);
	module = names.module;
	names_find(&names, second);
	assert_ptr_equal(names.module, module);
	dlclose(handles[0]);
	dlclose(handles[1]);
	names_close(&names);
	program_remove(&library);
}

static void test_deleted_executable_is_named(void **state)
{
	struct address_space_file file;
	struct program program;
	struct names names;
	uint64_t caller;
	char path[64];

	(void)state;
	program_build(&program, "c", c_program, "gcc -O1 -g");
	program_start(&program);
	caller = program_number(&program);
	assert_int_equal(unlink(program.path), 0);
	names_open(&names, program.pid);
	assert_int_equal(address_space_refresh(names.space), 0);
	assert_int_equal(address_space_unreadable(names.space), 0);
	names_find(&names, caller - 1);
	assert_string_equal(names.name.function, "main");
	assert_string_equal(module_path(names.module), program.path);
	file = find_file(&names);
	assert_int_equal(address_space_file_proc_path(names.space, &file.id, path, sizeof(path)),
			 0);
	assert_int_equal(access(path, R_OK), 0);
	assert_int_equal(address_space_file_proc_path(names.space, &file.id, path, 20),
			 -ENAMETOOLONG);
	names_close(&names);
	program_remove(&program);
}

/* The program lies on a file system that only its own mount namespace has. */
static void test_foreign_mount_namespace_is_named(void **state)
{
	struct program program;
	uint64_t caller;
	char inner[sizeof(program.path) + 8], stating_path[sizeof(program.path)];
	struct names names;

	(void)state;
	program_build(&program, "c", c_program, "gcc -O1 -g");
	snprintf(stating_path, sizeof(stating_path), "%s", program.path);
	snprintf(inner, sizeof(inner), "%s/inner", program.directory);
	run_command("mkdir %s && cat > %s/enter <<'END'\n"
		    "#!/bin/sh\n"
		    "exec unshare --mount sh -c 'mount -t tmpfs none %s && cp %s %s/hidden && "
		    "exec %s/hidden'\n"
		    "END\n"
		    "chmod +x %s/enter",
		    inner, program.directory, inner, stating_path, inner, inner, program.directory);
	snprintf(program.path, sizeof(program.path), "%s/enter", program.directory);
	program_start(&program);
	caller = program_number(&program);
	names_open(&names, program.pid);
	assert_int_equal(address_space_refresh(names.space), 0);
	names_find(&names, caller - 1);
	assert_string_equal(names.name.function, "main");
	assert_ends_with(module_path(names.module), "/inner/hidden");
	assert_int_not_equal(access(module_path(names.module), F_OK), 0);
	names_close(&names);
	program_remove(&program);
}

static void test_unloaded_library_stays_until_something_else_is_there(void **state)
{
	struct address_space_file file;
	struct program library;
	struct names names;
	uint64_t function, page;
	size_t modules;
	void *handle;

	(void)state;
	program_build(&library, "c", "int plugin_entry(void) { return 7; }\n", "gcc -shared -fPIC");
	names_open(&names, getpid());
	assert_int_equal(address_space_refresh(names.space), 0);
	modules = address_space_file_count(names.space);
	handle = dlopen(library.path, RTLD_NOW);
	assert_non_null(handle);
	function = (uint64_t)(uintptr_t)dlsym(handle, "plugin_entry");
	names_find(&names, function);
	assert_int_equal(names.error, -ENOENT);
	assert_int_equal(address_space_refresh(names.space), 0);
	assert_int_equal(address_space_file_count(names.space), modules + 1);
	names_find(&names, function);
	assert_string_equal(names.name.function, "plugin_entry");
	file = find_file(&names);

	dlclose(handle);
	assert_int_equal(address_space_refresh(names.space), 0);
	assert_int_equal(address_space_file_count(names.space), modules);
	names_find(&names, function);
	assert_string_equal(names.name.function, "plugin_entry");
	assert_false(address_space_has_file(names.space, &file.id, file.module));
	assert_int_equal(address_space_file_proc_path(names.space, &file.id, (char[64]){0}, 64),
			 -ENOENT);

	page = function & ~0xfffull;
	assert_ptr_equal(mmap((void *)(uintptr_t)page, 0x1000, PROT_READ,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0),
			 (void *)(uintptr_t)page);
	assert_int_equal(address_space_refresh(names.space), 0);
	names_find(&names, function);
	assert_int_equal(names.error, -ENOENT);
	munmap((void *)(uintptr_t)page, 0x1000);
	names_close(&names);
	program_remove(&library);
}

static void test_every_file_is_listed_once(void **state)
{
	struct names names;

	(void)state;
	names_open(&names, getpid());
	for (int refresh = 0; refresh < 3; refresh++)
		assert_int_equal(address_space_refresh(names.space), 0);
	assert_true(address_space_file_count(names.space) >= 4);
	for (size_t i = 0; i < address_space_file_count(names.space); i++)
		for (size_t j = 0; j < i; j++)
			assert_memory_not_equal(&address_space_file(names.space, i)->id,
						&address_space_file(names.space, j)->id,
						sizeof(struct mapped_file_id));
	assert_null(address_space_file(names.space, address_space_file_count(names.space)));
	names_close(&names);
}

static void test_code_in_no_elf_file_is_counted_unreadable(void **state)
{
	int fd = memfd_create("not elf", MFD_CLOEXEC);
	struct names names;
	void *code;

	(void)state;
	assert_int_equal(ftruncate(fd, 8192), 0);
	code = mmap(NULL, 8192, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	assert_ptr_not_equal(code, MAP_FAILED);
	names_open(&names, getpid());
	assert_int_equal(address_space_refresh(names.space), 0);
	assert_int_equal(address_space_unreadable(names.space), 1);
	names_find(&names, (uint64_t)(uintptr_t)code);
	assert_int_equal(names.error, -ENOENT);
	munmap(code, 8192);
	assert_int_equal(address_space_refresh(names.space), 0);
	assert_int_equal(address_space_unreadable(names.space), 0);
	names_close(&names);
	close(fd);
}

/* A device has no bytes to read, and opening one can do things. */
static void test_mapped_devices_are_not_opened(void **state)
{
	int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	struct names names;
	void *code;

	(void)state;
	code = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	close(fd);
	assert_ptr_not_equal(code, MAP_FAILED);
	names_open(&names, getpid());
	assert_int_equal(address_space_refresh(names.space), 0);
	assert_int_equal(address_space_unreadable(names.space), 1);
	munmap(code, 4096);
	names_close(&names);
}

static void test_processes_without_memory_are_gone(void **state)
{
	struct names names;
	pid_t pid = fork();
	siginfo_t info;

	(void)state;
	if (!pid)
		_exit(0);
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	names_open(&names, pid);
	assert_int_equal(address_space_refresh(names.space), -ESRCH);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(address_space_refresh(names.space), -ESRCH);
	names_close(&names);
	names_open(&names, pid);
	assert_int_equal(address_space_refresh(names.space), -ESRCH);
	names_find(&names, 0x1000);
	assert_int_equal(names.error, -ENOENT);
	names_close(&names);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_functions_and_lines_are_named_however_it_was_built),
		cmocka_unit_test(test_cxx_functions_are_demangled),
		cmocka_unit_test(test_stripped_program_keeps_module_and_offset),
		cmocka_unit_test(test_kernel_code_in_a_process_is_named),
		cmocka_unit_test(test_names_survive_exit_and_deletion),
		cmocka_unit_test(test_deleted_executable_is_named),
		cmocka_unit_test(test_foreign_mount_namespace_is_named),
		cmocka_unit_test(test_unloaded_library_stays_until_something_else_is_there),
		cmocka_unit_test(test_every_file_is_listed_once),
		cmocka_unit_test(test_copies_of_a_file_are_files_of_one_module),
		cmocka_unit_test(test_code_in_no_elf_file_is_counted_unreadable),
		cmocka_unit_test(test_mapped_devices_are_not_opened),
		cmocka_unit_test(test_processes_without_memory_are_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
