/* SPDX-License-Identifier: Apache-2.0 */
#include "symbol/module.h"
#include "symbol_program.h"

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <link.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define CACHE_BYTES (16u << 20)

#define MODULE_FILE(descriptor, name) \
	(&(struct module_file){.fd = (descriptor), .path = (name), .root_fd = -1})

static int open_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static struct module *get_module(struct module_cache *cache, const char *path)
{
	struct module *module = NULL;
	int fd = open_file(path);

	assert_int_equal(module_cache_get(cache, MODULE_FILE(fd, path), &module), 0);
	close(fd);
	return module;
}

/*
 * Of the shared objects built here a segment's offset equals its address (-Wl,-z,noseparate-code),
 * so that symbol values are file offsets.
 */
#define SHARED_OBJECT "gcc -shared -fPIC -nostdlib -Wl,-z,noseparate-code"

static uint64_t symbol_value(const char *path, const char *name)
{
	char command[512], line[64];
	FILE *output;

	snprintf(command, sizeof(command), "nm %s | awk '$3 == \"%s\" {print $1}'", path, name);
	output = popen(command, "r");
	assert_non_null(output);
	assert_non_null(fgets(line, sizeof(line), output));
	pclose(output);
	return strtoull(line, NULL, 16);
}

static void assert_function(struct module *module, uint64_t offset, const char *function)
{
	struct symbol_name name;

	if (!function) {
		assert_int_equal(module_symbolize(module, offset, &name), -ENOENT);
		return;
	}
	assert_int_equal(module_symbolize(module, offset, &name), 0);
	assert_non_null(name.function);
	assert_string_equal(name.function, function);
}

static const char assembly[] = "	.text\n"
			       "	.balign 64\n"
			       "	.globl __aliased, aliased, caliased\n"
			       "	.type __aliased, @function\n"
			       "	.type aliased, @function\n"
			       "	.type caliased, @function\n"
			       "	.type local_alias, @function\n"
			       "local_alias:\n"
			       "__aliased:\n"
			       "caliased:\n"
			       "aliased: .fill 16, 1, 0x90\n"
			       "	.size aliased, 16\n"
			       "	.size __aliased, 16\n"
			       "	.size caliased, 16\n"
			       "	.size local_alias, 16\n"
			       "	.fill 16, 1, 0x90\n"
			       "	.globl unsized, middle_label\n"
			       "	.type unsized, @function\n"
			       "unsized: .fill 16, 1, 0x90\n"
			       "	.globl outer\n"
			       "	.type outer, @function\n"
			       "outer:	.fill 8, 1, 0x90\n"
			       "middle_label: .fill 8, 1, 0x90\n"
			       "	.type inner, @function\n"
			       "inner: .fill 8, 1, 0x90\n"
			       "	.size inner, 8\n"
			       "	.fill 8, 1, 0x90\n"
			       "	.size outer, 32\n"
			       "	.globl data_in_text\n"
			       "	.type data_in_text, @object\n"
			       "data_in_text: .fill 8, 1, 0\n"
			       "	.size data_in_text, 8\n";

static void test_of_several_names_the_one_people_use_is_chosen(void **state)
{
	struct module_cache *cache = module_cache_new(CACHE_BYTES, 8);
	struct program object;
	struct symbol_name name;
	struct module *module;
	uint64_t start;

	(void)state;
	program_build(&object, "S", assembly, SHARED_OBJECT);
	module = get_module(cache, object.path);
	start = symbol_value(object.path, "aliased");
	assert_function(module, start, "aliased");
	assert_function(module, start + 15, "aliased");
	assert_int_equal(module_symbolize(module, start + 15, &name), 0);
	assert_int_equal(name.function_offset, 15);
	assert_function(module, start - 1, NULL);
	module_release(module);
	module_cache_free(cache);
	program_remove(&object);
}

static void test_sizes_bound_functions_and_no_size_reaches_to_the_next(void **state)
{
	struct module_cache *cache = module_cache_new(CACHE_BYTES, 8);
	struct program object;
	struct module *module;
	uint64_t start;

	(void)state;
	program_build(&object, "S", assembly, SHARED_OBJECT);
	module = get_module(cache, object.path);
	start = symbol_value(object.path, "aliased");
	assert_function(module, start + 16, NULL);
	assert_function(module, start + 31, NULL);
	assert_function(module, start + 32, "unsized");
	assert_function(module, start + 47, "unsized");
	assert_function(module, start + 48, "outer");
	assert_function(module, start + 56, "outer"); /* a label is part of its function */
	assert_function(module, start + 64, "inner");
	assert_function(module, start + 72, "outer");
	assert_function(module, start + 80, NULL); /* an object is no function */
	module_release(module);
	module_cache_free(cache);
	program_remove(&object);
}

static void test_libc_functions_have_their_public_names(void **state)
{
	static const char *const functions[] = {"malloc", "free", "calloc", "realloc", "mmap"};
	struct module_cache *cache = module_cache_new(CACHE_BYTES, 8);
	void *libc = dlopen("libc.so.6", RTLD_NOW | RTLD_NOLOAD);
	struct module *module;
	struct link_map *map;

	(void)state;
	assert_non_null(libc);
	assert_int_equal(dlinfo(libc, RTLD_DI_LINKMAP, &map), 0);
	module = get_module(cache, map->l_name);
	for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
		/* In libc the code's offset is its address. */
		uint64_t offset = (uint64_t)(uintptr_t)dlsym(libc, functions[i]) - map->l_addr;

		assert_function(module, offset, functions[i]);
	}
	assert_int_equal(module_word_bits(module), 64);
	module_release(module);
	dlclose(libc);
	module_cache_free(cache);
}

static void test_32_bit_files_are_told_apart(void **state)
{
	struct module_cache *cache = module_cache_new(CACHE_BYTES, 8);
	struct program object;
	struct module *module;

	(void)state;
	program_build(&object, "S", assembly, SHARED_OBJECT " -m32");
	module = get_module(cache, object.path);
	assert_int_equal(module_word_bits(module), 32);
	assert_function(module, symbol_value(object.path, "aliased") + 3, "aliased");
	module_release(module);
	module_cache_free(cache);
	program_remove(&object);
}

static void test_what_is_no_elf_file_is_refused(void **state)
{
	static const char *const paths[] = {"/dev/null", "/tmp", "/etc/passwd", "/proc/self/maps"};
	struct module_cache *cache = module_cache_new(CACHE_BYTES, 8);
	struct module *module = NULL;
	char directory[] = "/tmp/memwatch-symbol-XXXXXX", path[64];
	int fd;

	(void)state;
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		fd = open_file(paths[i]);
		assert_int_equal(module_cache_get(cache, MODULE_FILE(fd, paths[i]), &module),
				 -ENOEXEC);
		close(fd);
	}
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/fifo", directory);
	assert_int_equal(mkfifo(path, 0600), 0);
	fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	assert_int_equal(module_cache_get(cache, MODULE_FILE(fd, path), &module), -ENOEXEC);
	close(fd);
	assert_int_equal(module_cache_get(cache, MODULE_FILE(-1, ""), &module), -EBADF);
	assert_null(module);
	run_command("rm -rf %s", directory);
	module_cache_free(cache);
}

static void test_one_file_is_one_module(void **state)
{
	struct module_cache *cache = module_cache_new(CACHE_BYTES, 8);
	struct program object, other;
	struct module *module, *again, *copy, *foreign, *different;
	char path[96];

	(void)state;
	program_build(&object, "S", assembly, SHARED_OBJECT " -Wl,--build-id=sha1");
	program_build(&other, "S", assembly, SHARED_OBJECT " -Wl,--build-id=none");
	module = get_module(cache, object.path);
	again = get_module(cache, object.path);
	assert_ptr_equal(module, again);
	assert_string_equal(module_path(module), object.path);
	assert_int_equal(strlen(module_build_id(module)), 40);
	assert_int_equal(strspn(module_build_id(module), "0123456789abcdef"), 40);

	different = get_module(cache, other.path);
	assert_ptr_not_equal(module, different);
	assert_string_equal(module_build_id(different), "");

	snprintf(path, sizeof(path), "%s/copy", object.directory);
	run_command("cp %s %s", object.path, path);
	copy = get_module(cache, path);
	assert_ptr_equal(module, copy);
	/* Another user's file may claim any build-id. */
	snprintf(path, sizeof(path), "%s/foreign", object.directory);
	run_command("cp %s %s && chown 12345 %s", object.path, path, path);
	foreign = get_module(cache, path);
	assert_ptr_not_equal(module, foreign);
	assert_string_equal(module_build_id(module), module_build_id(foreign));

	module_release(module);
	module_release(again);
	module_release(copy);
	module_release(foreign);
	module_release(different);
	module_cache_free(cache);
	program_remove(&object);
	program_remove(&other);
}

static void test_modules_nobody_holds_make_room(void **state)
{
	struct module_cache *cache = module_cache_new(CACHE_BYTES, 2);
	struct module *modules[3];
	struct program objects[3];
	int fd;

	(void)state;
	for (int i = 0; i < 3; i++)
		program_build(&objects[i], "S", assembly, SHARED_OBJECT " -Wl,--build-id=none");
	modules[0] = get_module(cache, objects[0].path);
	modules[1] = module_hold(get_module(cache, objects[1].path));
	module_release(modules[1]);
	fd = open_file(objects[2].path);
	assert_int_equal(module_cache_get(cache, MODULE_FILE(fd, ""), &modules[2]), -EMFILE);
	module_release(modules[1]);
	assert_int_equal(module_cache_get(cache, MODULE_FILE(fd, ""), &modules[2]), 0);
	close(fd);
	assert_function(modules[0], symbol_value(objects[0].path, "aliased"), "aliased");
	assert_function(modules[2], symbol_value(objects[2].path, "aliased"), "aliased");
	module_release(modules[0]);
	module_release(modules[2]);
	module_cache_free(cache);
	for (int i = 0; i < 3; i++)
		program_remove(&objects[i]);
}

#define FUNCTION "function_%0120d"

/* Functions with long names and a line table. */
static void build_functions(struct program *object, int count)
{
	char *source = NULL;
	size_t size;
	FILE *file = open_memstream(&source, &size);

	for (int i = 0; i < count; i++)
		fprintf(file, "void " FUNCTION "(void) {}\n", i);
	fclose(file);
	program_build(object, "c", source, "gcc -g -shared -fPIC -nostdlib -Wl,-z,noseparate-code");
	free(source);
}

static uint64_t function_value(const struct program *object, int index)
{
	char name[160];

	snprintf(name, sizeof(name), FUNCTION, index);
	return symbol_value(object->path, name);
}

static void test_memory_is_bounded_and_names_stay(void **state)
{
	const size_t bytes_max = 128 * 1024;
	struct module_cache *cache = module_cache_new(bytes_max, 8);
	struct symbol_name first, name;
	struct program object;
	struct module *module;
	uint64_t start, second, unnamed = 0;

	(void)state;
	build_functions(&object, 600);
	module = get_module(cache, object.path);
	start = function_value(&object, 0);
	second = function_value(&object, 1);
	assert_int_equal(module_symbolize(module, start, &first), 0);
	for (uint64_t i = 0; i < 600; i++) {
		if (module_symbolize(module, start + i * (second - start), &name) || !name.function)
			unnamed++;
		assert_true(module_cache_bytes(cache) <= bytes_max);
	}
	assert_true(unnamed > 0);
	assert_int_equal(strtol(first.function + strlen("function_"), NULL, 10), 0);
	assert_int_equal(strlen(first.function), strlen("function_") + 120);
	assert_int_equal(first.line, 1);
	module_release(module);
	module_cache_free(cache);
	program_remove(&object);
}

static void test_evicted_tables_are_built_anew(void **state)
{
	struct module_cache *cache = module_cache_new(400000, 8);
	struct program objects[3];
	struct module *modules[3];
	struct symbol_name name;
	uint64_t start;

	(void)state;
	for (int i = 0; i < 3; i++) {
		build_functions(&objects[i], 3000);
		/* The compiler is given another directory each time: these are three builds. */
		modules[i] = get_module(cache, objects[i].path);
	}
	start = function_value(&objects[0], 7);
	for (int i = 0; i < 30; i++) {
		assert_int_equal(module_symbolize(modules[i % 3], start + (uint64_t)i / 10, &name),
				 0);
		assert_int_equal(strtol(name.function + strlen("function_"), NULL, 10), 7);
		assert_true(module_cache_bytes(cache) <= 400000);
	}
	for (int i = 0; i < 3; i++) {
		module_release(modules[i]);
		program_remove(&objects[i]);
	}
	module_cache_free(cache);
}

/* Everything of a file that the parsers may look at. */
static void symbolize_throughout(struct module_cache *cache, int fd, uint64_t file_bytes)
{
	struct symbol_name name;
	struct module *module;

	if (module_cache_get(cache, MODULE_FILE(fd, "hostile"), &module))
		return;
	for (uint64_t offset = 0; offset < file_bytes; offset += 61)
		module_symbolize(module, offset, &name);
	module_release(module);
}

static char *read_file(const char *path, size_t *size)
{
	struct stat status;
	int fd = open_file(path);
	char *bytes;

	assert_int_equal(fstat(fd, &status), 0);
	*size = (size_t)status.st_size;
	bytes = malloc(*size);
	assert_non_null(bytes);
	assert_int_equal(read(fd, bytes, *size), *size);
	close(fd);
	return bytes;
}

static void try_bytes(const char *bytes, size_t size)
{
	struct module_cache *cache = module_cache_new(CACHE_BYTES, 4);
	int fd = memfd_create("hostile", MFD_CLOEXEC);

	assert_int_equal(write(fd, bytes, size), size);
	symbolize_throughout(cache, fd, size);
	close(fd);
	module_cache_free(cache);
}

static void test_damaged_files_do_no_harm(void **state)
{
	struct program object;
	uint64_t random = 1;
	size_t size;
	char *bytes;

	(void)state;
	program_build(&object, "c",
		      "int first(void) { return 1; }\nint second(void) { return 2; }\n",
		      "gcc -g -shared -fPIC -nostdlib -Wl,-z,noseparate-code");
	bytes = read_file(object.path, &size);
	for (size_t length = 0; length < size; length += 97)
		try_bytes(bytes, length);
	for (int i = 0; i < 300; i++) {
		char *damaged = malloc(size);

		memcpy(damaged, bytes, size);
		for (int j = 0; j < 20; j++) {
			random = random * 6364136223846793005u + 1442695040888963407u;
			damaged[(random >> 33) % size] = (char)(random >> 24);
		}
		try_bytes(damaged, size);
		free(damaged);
	}
	free(bytes);
	program_remove(&object);
}

/* The owner may shorten a file that is mapped or held open: reading it must not kill us. */
static void test_file_truncated_while_held_is_survived(void **state)
{
	struct module_cache *cache = module_cache_new(CACHE_BYTES, 4);
	struct program object;
	struct symbol_name name;
	struct module *module;

	(void)state;
	build_functions(&object, 3000);
	module = get_module(cache, object.path);
	assert_int_equal(truncate(object.path, 8192), 0);
	for (uint64_t offset = 0; offset < 200000; offset += 1000)
		assert_int_equal(module_symbolize(module, offset, &name), -ENOENT);
	module_release(module);
	module_cache_free(cache);
	program_remove(&object);
}

struct worker {
	struct module_cache *cache;
	const char *paths[3];
	uint64_t start;
	int failures;
};

static void *work(void *argument)
{
	struct worker *worker = argument;

	for (int i = 0; i < 300; i++) {
		const char *path = worker->paths[i % 3];
		struct symbol_name name = {0};
		struct module *module;
		int fd = open(path, O_RDONLY | O_CLOEXEC);

		if (module_cache_get(worker->cache, MODULE_FILE(fd, path), &module)) {
			worker->failures++;
		} else {
			if (module_symbolize(module, worker->start + (uint64_t)(i % 50), &name) ||
			    strncmp(name.function, "function_", 9))
				worker->failures++;
			module_release(module_hold(module));
			module_release(module);
		}
		close(fd);
	}
	return NULL;
}

static void test_threads_share_a_cache_that_keeps_evicting(void **state)
{
	struct module_cache *cache = module_cache_new(400000, 4);
	struct worker workers[4];
	struct program objects[3];
	pthread_t threads[4];
	uint64_t start;

	(void)state;
	for (int i = 0; i < 3; i++)
		build_functions(&objects[i], 3000);
	start = function_value(&objects[0], 7);
	for (int i = 0; i < 4; i++) {
		workers[i] = (struct worker){
			.cache = cache,
			.paths = {objects[0].path, objects[1].path, objects[2].path},
			.start = start,
		};
		assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
	}
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(workers[i].failures, 0);
	}
	module_cache_free(cache);
	for (int i = 0; i < 3; i++)
		program_remove(&objects[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_of_several_names_the_one_people_use_is_chosen),
		cmocka_unit_test(test_sizes_bound_functions_and_no_size_reaches_to_the_next),
		cmocka_unit_test(test_libc_functions_have_their_public_names),
		cmocka_unit_test(test_32_bit_files_are_told_apart),
		cmocka_unit_test(test_what_is_no_elf_file_is_refused),
		cmocka_unit_test(test_one_file_is_one_module),
		cmocka_unit_test(test_modules_nobody_holds_make_room),
		cmocka_unit_test(test_memory_is_bounded_and_names_stay),
		cmocka_unit_test(test_evicted_tables_are_built_anew),
		cmocka_unit_test(test_damaged_files_do_no_harm),
		cmocka_unit_test(test_file_truncated_while_held_is_survived),
		cmocka_unit_test(test_threads_share_a_cache_that_keeps_evicting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
