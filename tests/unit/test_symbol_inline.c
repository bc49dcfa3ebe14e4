/* SPDX-License-Identifier: Apache-2.0 */
/* Functions that were inlined: which, in which order, and where each has got to. */
#include "symbol/module.h"
#include "symbol_program.h"

#define CACHE_BYTES (16u << 20)

/*
 * The program states where the call in inner() returns to. Each line that matters has a comment
 * with the function's name.
 */
static const char source[] =
	"#include <stdio.h>\n"
	"#include <unistd.h>\n"
	"#define INLINE static inline __attribute__((always_inline))\n"
	"extern const char __executable_start[];\n"
	"volatile int sink;\n"
	"__attribute__((noinline)) static void state(void)\n"
	"{\n"
	"	printf(\"%#lx\\n\", (unsigned long)((char *)__builtin_return_address(0) - "
	"__executable_start));\n"
	"	fflush(stdout);\n"
	"	sink++;\n"
	"}\n"
	"INLINE void inner(int n)\n"
	"{\n"
	"	sink += n;\n"
	"	state(); /* 15 */\n"
	"	sink -= n;\n"
	"}\n"
	"INLINE void middle(int n)\n"
	"{\n"
	"	if (n > sink)\n"
	"		inner(n + 1); /* 21 */\n"
	"	sink *= n;\n"
	"}\n"
	"__attribute__((noinline)) void outer(int n)\n"
	"{\n"
	"	sink = n;\n"
	"	middle(n + 2); /* 27 */\n"
	"	sink = 0;\n"
	"}\n"
	"int main(int argc, char **argv)\n"
	"{\n"
	"	outer(argv ? argc : 0);\n"
	"	state(); /* 33 */\n"
	"	while (getchar() >= 0)\n"
	"		;\n"
	"	return 0;\n"
	"}\n";

static struct module *get_module(struct module_cache *cache, const char *path)
{
	struct module_file file = {.path = path, .root_fd = -1};
	struct module *module = NULL;

	file.fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(file.fd >= 0);
	assert_int_equal(module_cache_get(cache, &file, &module), 0);
	close(file.fd);
	return module;
}

static void assert_frame(const struct symbol_frames *frames, size_t index, const char *function,
			 uint32_t line)
{
	const struct symbol_name *name = &frames->names[index];

	assert_true(index < frames->count);
	assert_non_null(name->function);
	assert_string_equal(name->function, function);
	assert_non_null(name->file);
	assert_non_null(strstr(name->file, "program.c"));
	assert_int_equal(name->line, line);
}

static void assert_inlined(struct module *module, uint64_t inside, uint64_t outside)
{
	struct symbol_frames frames;
	struct symbol_name name;

	/* The second time, it comes from the names found before. */
	for (int i = 0; i < 2; i++) {
		assert_int_equal(module_symbolize_inlined(module, inside - 1, &frames), 0);
		assert_int_equal(frames.count, 3);
		assert_frame(&frames, 0, "inner", 15);
		assert_frame(&frames, 1, "middle", 21);
		assert_frame(&frames, 2, "outer", 27);
		assert_true(frames.names[2].function_offset > 0);
	}
	assert_int_equal(module_symbolize(module, inside - 1, &name), 0);
	assert_string_equal(name.function, "outer");
	assert_int_equal(name.line, 15);

	assert_int_equal(module_symbolize_inlined(module, outside - 1, &frames), 0);
	assert_int_equal(frames.count, 1);
	assert_frame(&frames, 0, "main", 33);
}

/* after: what is done to the program, in its folder, once it has told its addresses. */
static void assert_build_is_understood(const char *compiler, const char *after)
{
	struct module_cache *cache = module_cache_new(CACHE_BYTES, 8);
	struct program program;
	struct module *module;
	uint64_t inside, outside;

	/* Offsets in the file are addresses from its start. */
	program_build(&program, "c", source, compiler);
	program_start(&program);
	inside = program_number(&program);
	outside = program_number(&program);
	program_stop(&program);
	run_command("cd %s && %s", program.directory, after);
	module = get_module(cache, program.path);
	assert_inlined(module, inside, outside);
	module_release(module);
	module_cache_free(cache);
	program_remove(&program);
}

#define LINKED " -Wl,-z,noseparate-code"

static void test_inlined_functions_are_named_however_it_was_built(void **state)
{
	(void)state;
	assert_build_is_understood("gcc -O2 -g" LINKED, "true");
	assert_build_is_understood("gcc -O1 -g -no-pie" LINKED, "true");
	assert_build_is_understood("gcc -O2 -gdwarf-4" LINKED, "true");
	assert_build_is_understood("gcc -O2 -gdwarf-3" LINKED, "true");
	assert_build_is_understood("gcc -O2 -g -gdwarf64" LINKED, "true");
	assert_build_is_understood("gcc -O2 -g -gz=zlib" LINKED, "true");
	assert_build_is_understood("gcc -O2 -g -flto" LINKED, "true");
	assert_build_is_understood("gcc -O2 -g -ffunction-sections -Wl,--gc-sections" LINKED,
				   "true");
	assert_build_is_understood("clang -O2 -g" LINKED, "true");
	assert_build_is_understood("clang -O2 -gdwarf-4" LINKED, "true");
	assert_build_is_understood("clang -O2 -gdwarf64 -gdwarf-5" LINKED, "true");
}

static void test_inlined_functions_are_found_in_a_debug_file(void **state)
{
	(void)state;
	assert_build_is_understood("gcc -O2 -g" LINKED,
				   "objcopy --only-keep-debug program program.debug && "
				   "objcopy --strip-all --add-gnu-debuglink=program.debug program");
}

/* dwz moves what several files have in common to a file of its own; here, all that it can. */
#define SHARE(options, name) \
	"cp " name " copy && dwz " options " -m common.debug " name " copy && rm copy"
#define SPLIT                                                 \
	"objcopy --only-keep-debug program program.debug && " \
	"objcopy --strip-all --add-gnu-debuglink=program.debug program"

static void test_inlined_functions_are_named_by_the_file_that_they_share(void **state)
{
	(void)state;
	assert_build_is_understood("gcc -O2 -g" LINKED, SHARE("", "program"));
	assert_build_is_understood("gcc -O2 -gdwarf-4" LINKED, SHARE("", "program"));
	assert_build_is_understood("gcc -O2 -g" LINKED, SHARE("--dwarf-5", "program"));
	assert_build_is_understood("gcc -O2 -g" LINKED, SPLIT " && " SHARE("", "program.debug"));
	/* By its absolute path, from wherever it is. */
	assert_build_is_understood("gcc -O2 -g" LINKED,
				   SHARE("-M $PWD/shared/common.debug",
					 "program") " && "
						    "mkdir shared && mv common.debug shared");
	/* Distributions compress it. */
	assert_build_is_understood(
		"gcc -O2 -g" LINKED,
		SHARE("", "program") " && "
				     "objcopy --compress-debug-sections common.debug");
}

/* Without names for what was inlined there is the function that has code of its own. */
static void assert_file_is_not_used(const char *after)
{
	struct module_cache *cache = module_cache_new(CACHE_BYTES, 8);
	struct symbol_frames frames;
	struct program program;
	struct module *module;
	uint64_t inside;

	program_build(&program, "c", source, "gcc -O2 -g" LINKED);
	program_start(&program);
	inside = program_number(&program);
	program_number(&program);
	program_stop(&program);
	run_command("cd %s && %s && %s", program.directory, SHARE("", "program"), after);
	module = get_module(cache, program.path);
	assert_int_equal(module_symbolize_inlined(module, inside - 1, &frames), 0);
	assert_int_equal(frames.count, 1);
	assert_frame(&frames, 0, "outer", 15);
	module_release(module);
	module_cache_free(cache);
	program_remove(&program);
}

static void test_a_shared_file_that_is_missing_or_another_is_not_used(void **state)
{
	(void)state;
	assert_file_is_not_used("rm common.debug");
	assert_file_is_not_used("gcc -O1 -g -o other program.c && cp other other2 && "
				"dwz -m common.debug other other2");
	assert_file_is_not_used("objcopy --remove-section=.note.gnu.build-id common.debug");
	assert_file_is_not_used("chmod g+w common.debug");
	assert_file_is_not_used("mv common.debug real && ln -s $PWD/missing common.debug");
	assert_file_is_not_used("cp program common.debug");
}

static void test_without_debug_information_there_is_the_function_alone(void **state)
{
	struct module_cache *cache = module_cache_new(CACHE_BYTES, 8);
	struct symbol_frames frames;
	struct program program;
	struct module *module;
	uint64_t inside;

	(void)state;
	program_build(&program, "c", source, "gcc -O2" LINKED);
	program_start(&program);
	inside = program_number(&program);
	program_number(&program);
	module = get_module(cache, program.path);
	assert_int_equal(module_symbolize_inlined(module, inside - 1, &frames), 0);
	assert_int_equal(frames.count, 1);
	assert_string_equal(frames.names[0].function, "outer");
	assert_null(frames.names[0].file);
	module_release(module);
	module_cache_free(cache);
	program_remove(&program);
}

/* Each calls the next, 40 deep: the innermost are kept, and the lines still belong to them. */
static void test_of_very_deep_ones_the_innermost_are_kept(void **state)
{
	struct module_cache *cache = module_cache_new(CACHE_BYTES, 8);
	struct symbol_frames frames;
	struct program program;
	struct module *module;
	char *text = NULL;
	uint64_t inside;
	size_t size;
	FILE *file = open_memstream(&text, &size);

	(void)state;
	fprintf(file, "#include <stdio.h>\nextern const char __executable_start[];\n"
		      "static __attribute__((noinline)) void state(void) { printf(\"%%#lx\\n\", "
		      "(unsigned long)((char *)__builtin_return_address(0) - "
		      "__executable_start)); }\nvolatile int sink;\n"
		      "static inline __attribute__((always_inline)) void level0(void) { state(); "
		      "sink++; }\n");
	for (int i = 1; i < 40; i++)
		fprintf(file,
			"static inline __attribute__((always_inline)) void level%d(void) { "
			"level%d(); sink++; }\n",
			i, i - 1);
	fprintf(file, "int main(void) { level39(); return 0; }\n");
	fclose(file);
	program_build(&program, "c", text, "gcc -O2 -g" LINKED);
	free(text);
	program_start(&program);
	inside = program_number(&program);
	module = get_module(cache, program.path);
	assert_int_equal(module_symbolize_inlined(module, inside - 1, &frames), 0);
	assert_int_equal(frames.count, SYMBOL_INLINED_MAX + 1);
	assert_frame(&frames, 0, "level0", 5);
	assert_frame(&frames, 1, "level1", 6);
	assert_frame(&frames, SYMBOL_INLINED_MAX - 1, "level15", 20);
	assert_frame(&frames, SYMBOL_INLINED_MAX, "main", 45);
	module_release(module);
	module_cache_free(cache);
	program_remove(&program);
}

static void test_cxx_methods_are_demangled(void **state)
{
	static const char cxx[] =
		"#include <cstdio>\n"
		"extern \"C\" const char __executable_start[];\n"
		"__attribute__((noinline)) static void state() { std::printf(\"%#lx\\n\", "
		"(unsigned long)((char *)__builtin_return_address(0) - __executable_start)); }\n"
		"volatile int sink;\n"
		"namespace shop { template <typename T> struct Shelf {\n"
		"__attribute__((always_inline)) void fill(T n) { sink = n; state(); sink++; }\n"
		"}; }\n"
		"int main() { shop::Shelf<int> shelf; shelf.fill(1); return 0; }\n";
	struct module_cache *cache = module_cache_new(CACHE_BYTES, 8);
	struct symbol_frames frames;
	struct program program;
	struct module *module;
	uint64_t inside;

	(void)state;
	program_build(&program, "cc", cxx, "g++ -O2 -g" LINKED);
	program_start(&program);
	inside = program_number(&program);
	module = get_module(cache, program.path);
	assert_int_equal(module_symbolize_inlined(module, inside - 1, &frames), 0);
	assert_int_equal(frames.count, 2);
	assert_string_equal(frames.names[0].function, "shop::Shelf<int>::fill(int)");
	assert_int_equal(frames.names[0].line, 6);
	assert_string_equal(frames.names[1].function, "main");
	assert_int_equal(frames.names[1].line, 8);
	module_release(module);
	module_cache_free(cache);
	program_remove(&program);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_inlined_functions_are_named_however_it_was_built),
		cmocka_unit_test(test_inlined_functions_are_found_in_a_debug_file),
		cmocka_unit_test(test_inlined_functions_are_named_by_the_file_that_they_share),
		cmocka_unit_test(test_a_shared_file_that_is_missing_or_another_is_not_used),
		cmocka_unit_test(test_without_debug_information_there_is_the_function_alone),
		cmocka_unit_test(test_of_very_deep_ones_the_innermost_are_kept),
		cmocka_unit_test(test_cxx_methods_are_demangled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
