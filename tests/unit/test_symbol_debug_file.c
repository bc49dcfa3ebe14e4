/* SPDX-License-Identifier: Apache-2.0 */
/* Names of stripped files: from debug files beneath a directory of our own, and packed ones. */
#include "symbol/debug_file.h"
#include "symbol/line_table.h"
#include "symbol/module.h"
#include "symbol/symbol_table.h"
#include "symbol_program.h"

#include <errno.h>

#define UNPACKED_MAX (16 << 20)

static const char source[] = "__attribute__((noinline)) static int hidden(int number)\n"
			     "{\n"
			     "	__asm__ volatile(\"\" : \"+r\"(number));\n"
			     "	return number * 3;\n"
			     "}\n"
			     "int shown(int number);\n"
			     "int shown(int number)\n"
			     "{\n"
			     "	return hidden(number) + 1;\n"
			     "}\n";

/* A shared object that was stripped, beside what it had before. */
struct stripped {
	struct program whole; /* path: the stripped one */
	char debug[96];
	uint64_t hidden_address;
};

static uint64_t address_of(const char *path, const char *symbol)
{
	unsigned long long address = 0;
	char command[256];
	FILE *out;

	snprintf(command, sizeof(command), "nm %s | grep ' %s$'", path, symbol);
	out = popen(command, "r");
	assert_non_null(out);
	assert_int_equal(fscanf(out, "%llx", &address), 1);
	while (fgetc(out) != EOF)
		;
	pclose(out);
	return address;
}

static void strip(struct stripped *stripped, const char *flags)
{
	char compiler[128];

	snprintf(compiler, sizeof(compiler), "gcc -g -O1 -shared -fPIC %s", flags);
	program_build(&stripped->whole, "c", source, compiler);
	snprintf(stripped->debug, sizeof(stripped->debug), "%s.debug", stripped->whole.path);
	stripped->hidden_address = address_of(stripped->whole.path, "hidden");
	run_command("objcopy --only-keep-debug %s %s", stripped->whole.path, stripped->debug);
	run_command("strip %s", stripped->whole.path);
}

static int open_file(const char *path, struct elf_layout *layout)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(elf_layout_read(fd, layout), 0);
	return fd;
}

/* What the debug file says of the hidden function. */
static void assert_names(int fd, const struct stripped *stripped, struct elf_layout layout)
{
	char name[SYMBOL_NAME_MAX_BYTES];
	struct symbol_table *symbols;
	struct line_table *lines;
	const char *file;
	uint64_t start;
	uint32_t line;

	layout.file_bytes = (uint64_t)lseek(fd, 0, SEEK_END);
	assert_int_equal(symbol_table_build(fd, &layout, 1 << 20, &symbols), 0);
	assert_int_equal(symbol_table_find(symbols, fd, stripped->hidden_address, name, &start), 0);
	assert_string_equal(name, "hidden");
	assert_int_equal(start, stripped->hidden_address);
	assert_int_equal(line_table_build(fd, &layout, 1 << 20, &lines), 0);
	assert_int_equal(line_table_find(lines, fd, stripped->hidden_address, &file, &line), 0);
	assert_in_range(line, 1, 4);
	symbol_table_free(symbols);
	line_table_free(lines);
}

static void test_a_debug_file_is_found_by_build_id(void **state)
{
	struct stripped stripped;
	struct elf_layout layout;
	char directory[80];
	int fd, debug_fd;

	(void)state;
	strip(&stripped, "-Wl,--build-id=sha1");
	fd = open_file(stripped.whole.path, &layout);
	snprintf(directory, sizeof(directory), "%s/debug", stripped.whole.directory);
	assert_int_equal(debug_file_open(fd, &layout, stripped.whole.path, directory), -ENOENT);
	run_command("mkdir -p %s/.build-id/%.2s && cp %s %s/.build-id/%.2s/%s.debug", directory,
		    layout.build_id, stripped.debug, directory, layout.build_id,
		    layout.build_id + 2);
	debug_fd = debug_file_open(fd, &layout, stripped.whole.path, directory);
	assert_true(debug_fd >= 0);
	assert_names(debug_fd, &stripped, layout);
	close(debug_fd);
	close(fd);
	program_remove(&stripped.whole);
}

static void test_a_debug_file_is_found_by_its_link_if_the_checksum_is_right(void **state)
{
	struct stripped stripped;
	struct elf_layout layout;
	char directory[80];
	int fd, debug_fd;

	(void)state;
	strip(&stripped, "-Wl,--build-id=none");
	run_command("cd %s && objcopy --add-gnu-debuglink=program.debug program",
		    stripped.whole.directory);
	snprintf(directory, sizeof(directory), "%s/debug", stripped.whole.directory);
	run_command("mkdir -p %s%s && cp %s %s%s/", directory, stripped.whole.directory,
		    stripped.debug, directory, stripped.whole.directory);
	fd = open_file(stripped.whole.path, &layout);
	debug_fd = debug_file_open(fd, &layout, stripped.whole.path, directory);
	assert_true(debug_fd >= 0);
	assert_names(debug_fd, &stripped, layout);
	close(debug_fd);
	run_command("echo >> %s%s", directory, stripped.debug);
	assert_int_equal(debug_file_open(fd, &layout, stripped.whole.path, directory), -ENOENT);
	/* What the process calls its file isn't followed out of the directory. */
	assert_int_equal(debug_file_open(fd, &layout, "/x/../../etc/passwd", directory), -ENOENT);
	assert_int_equal(debug_file_open(fd, &layout, "program", directory), -ENOENT);
	close(fd);
	program_remove(&stripped.whole);
}

/* As Fedora and others pack it. */
static void pack(const struct stripped *stripped)
{
	run_command("cd %s && strip -g -o mini program.debug && xz mini && objcopy --add-section "
		    ".gnu_debugdata=mini.xz program",
		    stripped->whole.directory);
}

static void test_packed_symbols_name_functions(void **state)
{
	struct module_cache *cache = module_cache_new(16 << 20, 8);
	struct stripped stripped;
	struct symbol_name name;
	struct elf_layout layout;
	struct module *module;
	int fd;

	(void)state;
	strip(&stripped, "-Wl,--build-id=sha1");
	fd = open_file(stripped.whole.path, &layout);
	assert_int_equal(debug_file_unpack(fd, UNPACKED_MAX), -ENOENT);
	close(fd);
	pack(&stripped);
	fd = open_file(stripped.whole.path, &layout);
	assert_int_equal(module_cache_get(cache, fd, stripped.whole.path, &module), 0);
	assert_int_equal(module_symbolize(module,
					  stripped.hidden_address - layout.segments[0].address +
						  layout.segments[0].file_offset,
					  &name),
			 0);
	assert_string_equal(name.function, "hidden");
	assert_int_equal(name.function_offset, 0);
	assert_int_equal(debug_file_unpack(fd, 100), -E2BIG);
	module_release(module);
	module_cache_free(cache);
	close(fd);
	program_remove(&stripped.whole);
}

static void test_broken_packed_symbols_are_none(void **state)
{
	struct stripped stripped;
	struct elf_layout layout;
	int fd;

	(void)state;
	strip(&stripped, "-Wl,--build-id=sha1");
	run_command("cd %s && head -c 3000 /dev/urandom > noise && objcopy --add-section "
		    ".gnu_debugdata=noise program",
		    stripped.whole.directory);
	fd = open_file(stripped.whole.path, &layout);
	assert_int_equal(debug_file_unpack(fd, UNPACKED_MAX), -EBADMSG);
	close(fd);
	program_remove(&stripped.whole);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_debug_file_is_found_by_build_id),
		cmocka_unit_test(test_a_debug_file_is_found_by_its_link_if_the_checksum_is_right),
		cmocka_unit_test(test_packed_symbols_name_functions),
		cmocka_unit_test(test_broken_packed_symbols_are_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
