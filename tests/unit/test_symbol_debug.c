/* SPDX-License-Identifier: Apache-2.0 */
/* Names of stripped files: from what they keep packed, and from the debug file they were split off.
 */
#include "clock.h"
#include "symbol/debug_file.h"
#include "symbol/module_private.h"
#include "symbol/namer.h"
#include "symbol_program.h"

#include <errno.h>
#include <sched.h>
#include <sys/stat.h>

#define CACHE_BYTES (16u << 20)

/* A shared object whose offsets are its addresses, with a function that .dynsym lacks. */
#define BUILD "gcc -O1 -g -shared -fPIC -nostdlib -Wl,-z,noseparate-code -Wl,--build-id="

#define HIDDEN_LINE 2
static const char source[] =
	"\n"
	"__attribute__((noinline)) static int hidden(int n) { return n * n + 1; }\n"
	"int shown(int n) { return hidden(n) + 2; }\n";

struct stripped {
	struct program program; /* "program" is the stripped file, "whole" it before that */
	char root[96];          /* taken for the process's root directory */
	uint64_t hidden, shown;
};

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

static void stripped_build(struct stripped *stripped, const char *compiler)
{
	const char *directory;

	program_build(&stripped->program, "c", source, compiler);
	directory = stripped->program.directory;
	stripped->hidden = symbol_value(stripped->program.path, "hidden");
	stripped->shown = symbol_value(stripped->program.path, "shown");
	snprintf(stripped->root, sizeof(stripped->root), "%s/root", directory);
	run_command("cd %s && mkdir -p root/usr/lib/debug root/opt/.debug && cp program whole && "
		    "objcopy --only-keep-debug whole debug && strip program",
		    directory);
}

static void stripped_remove(struct stripped *stripped)
{
	program_remove(&stripped->program);
}

/* Puts the debug file where the build-id says. */
static void install_by_build_id(const struct stripped *stripped, const char *file)
{
	run_command("cd %s && id=$(readelf -n whole | awk '/Build ID/ {print $3}') && "
		    "folder=root/usr/lib/debug/.build-id/$(printf %%.2s $id) && "
		    "mkdir -p $folder && cp %s $folder/${id#??}.debug",
		    stripped->program.directory, file);
}

static struct module *get_module(struct module_cache *cache, const struct stripped *stripped,
				 const char *path)
{
	struct module_file file = {.path = path};
	struct module *module = NULL;

	file.fd = open(stripped->program.path, O_RDONLY | O_CLOEXEC);
	file.root_fd = open(stripped->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_true(file.fd >= 0 && file.root_fd >= 0);
	assert_int_equal(module_cache_get(cache, &file, &module), 0);
	close(file.fd);
	close(file.root_fd);
	return module;
}

/* What a fresh cache says of the hidden function. The strings live as long as the cache. */
static struct symbol_name name_hidden(struct module_cache **cache, const struct stripped *stripped)
{
	struct symbol_name name = {0};
	struct module *module;

	*cache = module_cache_new(CACHE_BYTES, 8);
	module = get_module(*cache, stripped, "/opt/program");
	module_symbolize(module, stripped->hidden, &name);
	module_release(module);
	return name;
}

static void assert_hidden_is_named(const struct stripped *stripped, uint32_t line)
{
	struct module_cache *cache;
	struct symbol_name name = name_hidden(&cache, stripped);

	assert_non_null(name.function);
	assert_string_equal(name.function, "hidden");
	assert_int_equal(name.function_offset, 0);
	assert_int_equal(name.line, line);
	if (line)
		assert_non_null(strstr(name.file, "program.c"));
	module_cache_free(cache);
}

static void assert_hidden_is_unknown(const struct stripped *stripped)
{
	struct module_cache *cache;
	struct symbol_name name = name_hidden(&cache, stripped);

	assert_null(name.function);
	assert_null(name.file);
	module_cache_free(cache);
}

/* ---- .gnu_debugdata ---- */

/* As distributions make it. */
static void pack_symbols(const struct stripped *stripped, const char *xz_options)
{
	run_command("cd %s && nm -D whole --format=posix --defined-only | cut -d' ' -f1 | "
		    "sort >dynamic && nm whole --format=posix --defined-only | "
		    "awk '$2 ~ /[tTwW]/ {print $1}' | sort >functions && "
		    "comm -13 dynamic functions >kept && "
		    "objcopy -S --keep-symbols=kept debug packed && xz -k %s packed && "
		    "objcopy --add-section .gnu_debugdata=packed.xz program",
		    stripped->program.directory, xz_options);
}

static void test_packed_symbols_name_what_dynsym_lacks(void **state)
{
	struct module_cache *cache;
	struct stripped stripped;
	struct symbol_name name;
	struct module *module;

	(void)state;
	stripped_build(&stripped, BUILD "sha1");
	assert_hidden_is_unknown(&stripped);
	pack_symbols(&stripped, "");
	assert_hidden_is_named(&stripped, 0);

	cache = module_cache_new(CACHE_BYTES, 8);
	module = get_module(cache, &stripped, "/opt/program");
	assert_int_equal(module_symbolize(module, stripped.shown, &name), 0);
	assert_string_equal(name.function, "shown");
	module_release(module);
	module_cache_free(cache);
	stripped_remove(&stripped);
}

static void test_packed_symbols_that_want_much_memory_are_fine(void **state)
{
	struct stripped stripped;

	(void)state;
	stripped_build(&stripped, BUILD "sha1");
	pack_symbols(&stripped, "-9");
	assert_hidden_is_named(&stripped, 0);
	stripped_remove(&stripped);
}

static void test_packed_symbols_without_end_are_refused(void **state)
{
	struct stripped stripped;

	(void)state;
	stripped_build(&stripped, BUILD "sha1");
	run_command("cd %s && { cat debug; head -c 200000000 /dev/zero; } | xz -0 >packed.xz && "
		    "objcopy --add-section .gnu_debugdata=packed.xz program",
		    stripped.program.directory);
	assert_hidden_is_unknown(&stripped);
	stripped_remove(&stripped);
}

static void test_damaged_packed_symbols_do_no_harm(void **state)
{
	struct stripped stripped;

	(void)state;
	stripped_build(&stripped, BUILD "sha1");
	pack_symbols(&stripped, "");
	run_command("cd %s && head -c 200 packed.xz >cut && "
		    "objcopy --update-section .gnu_debugdata=cut program",
		    stripped.program.directory);
	assert_hidden_is_unknown(&stripped);
	run_command("cd %s && tr '\\001-\\050' '\\100' <packed.xz >turned && "
		    "objcopy --update-section .gnu_debugdata=turned program",
		    stripped.program.directory);
	assert_hidden_is_unknown(&stripped);
	stripped_remove(&stripped);
}

/* ---- Debug files ---- */

static void test_debug_file_is_found_by_build_id(void **state)
{
	struct stripped stripped;

	(void)state;
	stripped_build(&stripped, BUILD "sha1");
	install_by_build_id(&stripped, "debug");
	assert_hidden_is_named(&stripped, HIDDEN_LINE);
	stripped_remove(&stripped);
}

static void test_debug_folder_may_be_a_symbolic_link_of_the_targets_root(void **state)
{
	struct stripped stripped;

	(void)state;
	stripped_build(&stripped, BUILD "sha1");
	install_by_build_id(&stripped, "debug");
	run_command("cd %s/root && mkdir -p srv && mv usr/lib/debug srv/debug && "
		    "ln -s /srv/debug usr/lib/debug",
		    stripped.program.directory);
	assert_hidden_is_named(&stripped, HIDDEN_LINE);
	stripped_remove(&stripped);
}

/* Seen from our own root directory, the link leads to the debug file. */
static void test_links_do_not_lead_out_of_the_targets_root(void **state)
{
	struct stripped stripped;

	(void)state;
	stripped_build(&stripped, BUILD "sha1");
	install_by_build_id(&stripped, "debug");
	run_command("cd %s && mv root/usr/lib/debug outside && ln -s $PWD/outside "
		    "root/usr/lib/debug",
		    stripped.program.directory);
	assert_hidden_is_unknown(&stripped);
	stripped_remove(&stripped);
}

static void test_debug_file_of_another_build_is_refused(void **state)
{
	struct stripped stripped;

	(void)state;
	stripped_build(&stripped, BUILD "sha1");
	run_command("cd %s && gcc -O1 -g -DOTHER -shared -fPIC -nostdlib -Wl,-z,noseparate-code "
		    "-Wl,--build-id=0x1234567890 -o other program.c && "
		    "objcopy --only-keep-debug other other.debug",
		    stripped.program.directory);
	install_by_build_id(&stripped, "other.debug");
	assert_hidden_is_unknown(&stripped);
	stripped_remove(&stripped);
}

static void link_debug_file(const struct stripped *stripped)
{
	run_command("cd %s && cp debug program.debug && objcopy --add-gnu-debuglink=program.debug "
		    "program",
		    stripped->program.directory);
}

static void test_debug_link_is_followed_into_each_folder(void **state)
{
	static const char *const folders[] = {"opt", "opt/.debug", "usr/lib/debug/opt"};
	static const char *const build_ids[] = {"none", "sha1"};

	(void)state;
	for (size_t i = 0; i < sizeof(build_ids) / sizeof(build_ids[0]); i++) {
		struct stripped stripped;
		char compiler[256];

		snprintf(compiler, sizeof(compiler), BUILD "%s", build_ids[i]);
		stripped_build(&stripped, compiler);
		link_debug_file(&stripped);
		for (size_t j = 0; j < sizeof(folders) / sizeof(folders[0]); j++) {
			assert_hidden_is_unknown(&stripped);
			run_command("cd %s && mkdir -p root/%s && cp program.debug root/%s",
				    stripped.program.directory, folders[j], folders[j]);
			assert_hidden_is_named(&stripped, HIDDEN_LINE);
			run_command("rm %s/%s/program.debug", stripped.root, folders[j]);
		}
		stripped_remove(&stripped);
	}
}

static void test_debug_link_with_a_wrong_checksum_is_refused(void **state)
{
	struct stripped stripped;

	(void)state;
	stripped_build(&stripped, BUILD "none");
	link_debug_file(&stripped);
	run_command("cd %s && cp program.debug root/opt && printf x >>root/opt/program.debug",
		    stripped.program.directory);
	assert_hidden_is_unknown(&stripped);
	stripped_remove(&stripped);
}

static void test_debug_file_that_others_could_have_written_is_refused(void **state)
{
	struct stripped stripped;

	(void)state;
	if (geteuid() != 0)
		skip();
	stripped_build(&stripped, BUILD "sha1");
	link_debug_file(&stripped);
	run_command("cd %s && cp program.debug root/opt && chmod o+w root/opt/program.debug",
		    stripped.program.directory);
	assert_hidden_is_unknown(&stripped);
	run_command("cd %s/root/opt && chmod o-w program.debug && chown 12345 program.debug",
		    stripped.program.directory);
	assert_hidden_is_unknown(&stripped);
	/* Unless it is their own file that has the link. */
	run_command("cd %s && chown 12345 program", stripped.program.directory);
	assert_hidden_is_named(&stripped, HIDDEN_LINE);
	stripped_remove(&stripped);
}

static void test_debug_file_that_the_owner_may_not_read_stays_secret(void **state)
{
	struct stripped stripped;

	(void)state;
	if (geteuid() != 0)
		skip();
	stripped_build(&stripped, BUILD "sha1");
	link_debug_file(&stripped);
	run_command("cd %s && cp program.debug root/opt && chmod 600 root/opt/program.debug",
		    stripped.program.directory);
	assert_hidden_is_named(&stripped, HIDDEN_LINE);
	run_command("cd %s && chown 12345 program", stripped.program.directory);
	assert_hidden_is_unknown(&stripped);
	stripped_remove(&stripped);
}

static void test_places_that_are_no_files_do_no_harm(void **state)
{
	struct stripped stripped;

	(void)state;
	stripped_build(&stripped, BUILD "sha1");
	link_debug_file(&stripped);
	run_command("mkfifo %s/opt/program.debug", stripped.root);
	assert_hidden_is_unknown(&stripped);
	run_command("cd %s/opt && rm program.debug && mkdir program.debug", stripped.root);
	assert_hidden_is_unknown(&stripped);
	run_command("cd %s/opt && rmdir program.debug && ln -s program.debug program.debug",
		    stripped.root);
	assert_hidden_is_unknown(&stripped);
	run_command("cd %s/opt && rm program.debug && : >program.debug", stripped.root);
	assert_hidden_is_unknown(&stripped);
	stripped_remove(&stripped);
}

/* As of an image that two containers run, of which one has the debug files. */
static void test_debug_file_may_be_where_another_copy_is(void **state)
{
	struct module_cache *cache = module_cache_new(CACHE_BYTES, 8);
	struct module *module, *copy_module;
	struct stripped stripped, copy;
	struct symbol_name name;

	(void)state;
	stripped_build(&stripped, BUILD "sha1");
	module = get_module(cache, &stripped, "/opt/program");
	assert_int_equal(module_symbolize(module, stripped.hidden, &name), -ENOENT);

	copy = stripped;
	run_command("cd %s && cp program copy && mkdir -p elsewhere/usr/lib/debug && "
		    "mv root first && mv elsewhere root",
		    stripped.program.directory);
	install_by_build_id(&stripped, "debug");
	snprintf(copy.program.path, sizeof(copy.program.path), "%s/copy",
		 stripped.program.directory);
	copy_module = get_module(cache, &copy, "/opt/program");
	assert_ptr_equal(module, copy_module);
	assert_int_equal(module_symbolize(module, stripped.hidden, &name), 0);
	assert_string_equal(name.function, "hidden");
	module_release(module);
	module_release(copy_module);
	module_cache_free(cache);
	stripped_remove(&stripped);
}

static void *run_namer(void *namer)
{
	namer_run(namer);
	return NULL;
}

/* What is known of the hidden function; asked twice, the second time when all is looked up. */
static const char *ask_for_hidden(struct namer *namer, struct module *module, uint64_t offset)
{
	struct namer_statistics statistics;
	const char *function = NULL;

	for (int i = 0; i < 2; i++) {
		struct name_query *query = name_query_new();

		assert_int_equal(name_query_add(query, module, offset), 0);
		assert_int_equal(namer_ask(namer, query, clock_monotonic_seconds() + 60), 0);
		function = name_query_find(query, module, offset)->names[0].function;
		name_query_free(query);
		do {
			sched_yield();
			namer_read_statistics(namer, &statistics);
		} while (statistics.waiting_frames);
	}
	return function;
}

static void test_names_that_are_known_get_better_with_a_debug_file(void **state)
{
	struct module_cache *cache = module_cache_new(CACHE_BYTES, 8);
	struct module *module, *copy_module;
	struct stripped stripped, copy;
	struct namer *namer = namer_new(10);
	const char *function;
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, run_namer, namer), 0);
	stripped_build(&stripped, BUILD "sha1");
	module = get_module(cache, &stripped, "/opt/program");
	assert_null(ask_for_hidden(namer, module, stripped.hidden));

	copy = stripped;
	run_command("cd %s && cp program copy", stripped.program.directory);
	install_by_build_id(&stripped, "debug");
	snprintf(copy.program.path, sizeof(copy.program.path), "%s/copy",
		 stripped.program.directory);
	copy_module = get_module(cache, &copy, "/opt/program");
	assert_ptr_equal(module, copy_module);
	function = ask_for_hidden(namer, module, stripped.hidden);
	assert_non_null(function);
	assert_string_equal(function, "hidden");

	namer_stop(namer);
	pthread_join(thread, NULL);
	namer_free(namer);
	module_release(module);
	module_release(copy_module);
	module_cache_free(cache);
	stripped_remove(&stripped);
}

static void test_names_of_a_debug_file_survive_eviction(void **state)
{
	struct module_cache *cache = module_cache_new(80000, 8);
	struct stripped stripped;
	struct symbol_name name;
	struct module *module;

	(void)state;
	stripped_build(&stripped, BUILD "sha1");
	install_by_build_id(&stripped, "debug");
	module = get_module(cache, &stripped, "/opt/program");
	for (uint64_t i = 0; i < 3000; i++) {
		assert_true(module_symbolize(module, stripped.hidden + i % 4, &name) == 0);
		assert_string_equal(name.function, "hidden");
		module_symbolize(module, i * 7919, &name);
		assert_true(module_cache_bytes(cache) <= 80000);
	}
	module_release(module);
	module_cache_free(cache);
	stripped_remove(&stripped);
}

/* As of a container that has ended: what could be opened while it ran stays open. */
static void test_names_of_a_debug_file_that_has_gone_are_found(void **state)
{
	struct stripped stripped, self = {.program.path = "/proc/self/exe", .root = "/"};
	struct module_cache *cache = module_cache_new(80000, 8);
	struct module *module, *other;
	struct symbol_name name;

	(void)state;
	stripped_build(&stripped, BUILD "sha1");
	install_by_build_id(&stripped, "debug");
	module = get_module(cache, &stripped, "/opt/program");
	assert_int_equal(module_symbolize(module, stripped.shown, &name), 0);
	run_command("rm -rf %s/root %s", stripped.program.directory, stripped.program.path);
	/* Another file takes all the room. */
	other = get_module(cache, &self, "/opt/other");
	for (uint64_t i = 0; i < 1000; i++)
		module_symbolize(other, i * 79, &name);
	assert_null(module->tables.symbols);
	assert_int_equal(module_symbolize(module, stripped.hidden, &name), 0);
	assert_string_equal(name.function, "hidden");
	module_release(module);
	module_release(other);
	module_cache_free(cache);
	stripped_remove(&stripped);
}

/* ---- The link's section ---- */

static void assert_no_link(const char *bytes, size_t size)
{
	const char *name;
	uint32_t checksum;

	assert_int_equal(debug_link_parse(bytes, size, &name, &checksum), -EINVAL);
}

static void test_debug_links_are_taken_apart(void **state)
{
	const char *name;
	uint32_t checksum;

	(void)state;
	assert_int_equal(debug_link_parse("a.debug\0\1\2\3\4", 12, &name, &checksum), 0);
	assert_string_equal(name, "a.debug");
	assert_int_equal(checksum, 0x04030201);
	assert_int_equal(debug_link_parse("abcd\0\0\0\0\1\0\0\0", 12, &name, &checksum), 0);
	assert_int_equal(checksum, 1);
	assert_no_link("", 0);
	assert_no_link("a.debug\0\1\2\3", 11);
	assert_no_link("a.debug", 7);
	assert_no_link("\0\0\0\0\1\2\3\4", 8);
	assert_no_link("../x\0\0\0\0\1\2\3\4", 12);
	assert_no_link("a/b\0\1\2\3\4", 8);
	assert_no_link("..\0\0\1\2\3\4", 8);
	assert_no_link(".\0\0\0\1\2\3\4", 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_packed_symbols_name_what_dynsym_lacks),
		cmocka_unit_test(test_packed_symbols_that_want_much_memory_are_fine),
		cmocka_unit_test(test_packed_symbols_without_end_are_refused),
		cmocka_unit_test(test_damaged_packed_symbols_do_no_harm),
		cmocka_unit_test(test_debug_file_is_found_by_build_id),
		cmocka_unit_test(test_debug_folder_may_be_a_symbolic_link_of_the_targets_root),
		cmocka_unit_test(test_links_do_not_lead_out_of_the_targets_root),
		cmocka_unit_test(test_debug_file_of_another_build_is_refused),
		cmocka_unit_test(test_debug_link_is_followed_into_each_folder),
		cmocka_unit_test(test_debug_link_with_a_wrong_checksum_is_refused),
		cmocka_unit_test(test_debug_file_that_others_could_have_written_is_refused),
		cmocka_unit_test(test_debug_file_that_the_owner_may_not_read_stays_secret),
		cmocka_unit_test(test_places_that_are_no_files_do_no_harm),
		cmocka_unit_test(test_debug_file_may_be_where_another_copy_is),
		cmocka_unit_test(test_names_that_are_known_get_better_with_a_debug_file),
		cmocka_unit_test(test_names_of_a_debug_file_survive_eviction),
		cmocka_unit_test(test_names_of_a_debug_file_that_has_gone_are_found),
		cmocka_unit_test(test_debug_links_are_taken_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
