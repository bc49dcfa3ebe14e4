/* SPDX-License-Identifier: Apache-2.0 */
/* Names and lines of compiled code, from the jitdump that a process has mapped: here, this one. */
#include "procfs.h"
#include "symbol/compiled_code.h"
#include "symbol/jitdump.h"
#include "symbol/jitdump_record.h"
#include "symbol_program.h"

#include <elf.h>
#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define CODE_BYTES  0x200
#define CACHE_BYTES (1u << 20)

#ifdef __aarch64__
#define MACHINE EM_AARCH64
#else
#define MACHINE EM_X86_64
#endif

struct dump {
	char directory[64], path[128];
	int fd;
	void *page;
	int proc_fd;
};

static void append(const struct dump *dump, const void *bytes, size_t size)
{
	assert_int_equal(write(dump->fd, bytes, size), (ssize_t)size);
}

static void append_numbers(const struct dump *dump, const uint64_t *numbers, size_t count)
{
	append(dump, numbers, count * sizeof(*numbers));
}

static uint64_t pair(uint32_t low, uint32_t high)
{
	return (uint64_t)high << 32 | low;
}

static void append_header(const struct dump *dump, uint32_t magic, uint32_t machine, uint32_t pid)
{
	const uint64_t header[] = {pair(magic, 1), pair(40, machine), pair(0, pid), 0, 0};

	append_numbers(dump, header, 5);
}

static void append_load(const struct dump *dump, uint64_t address, uint64_t size, const char *name)
{
	size_t name_bytes = strlen(name) + 1;
	const uint64_t record[] = {pair(JITDUMP_LOAD, (uint32_t)(56 + name_bytes + size)),
				   0,
				   0,
				   address,
				   address,
				   size,
				   1};
	char *code = calloc(1, size);

	append_numbers(dump, record, 7);
	append(dump, name, name_bytes);
	append(dump, code, size);
	free(code);
}

static void append_move(const struct dump *dump, uint64_t from, uint64_t to, uint64_t size)
{
	const uint64_t record[] = {pair(JITDUMP_MOVE, 64), 0, 0, to, from, to, size, 1};

	append_numbers(dump, record, 8);
}

struct line {
	uint64_t address;
	uint32_t number;
	const char *file;
};

static void append_lines(const struct dump *dump, uint64_t address, const struct line *lines,
			 size_t count)
{
	uint64_t record[] = {0, 0, address, count};
	size_t size = sizeof(record);

	for (size_t i = 0; i < count; i++)
		size += 16 + strlen(lines[i].file) + 1;
	record[0] = pair(JITDUMP_DEBUG_INFO, (uint32_t)size);
	append_numbers(dump, record, 4);
	for (size_t i = 0; i < count; i++) {
		const uint64_t entry[] = {lines[i].address, pair(lines[i].number, 0)};

		append_numbers(dump, entry, 2);
		append(dump, lines[i].file, strlen(lines[i].file) + 1);
	}
}

static uint32_t own_pid(void)
{
	pid_t pid;

	assert_int_equal(procfs_read_namespace_pid(getpid(), &pid), 0);
	return (uint32_t)pid;
}

/* Empty, and mapped as code. */
static void dump_open_empty(struct dump *dump)
{
	char directory[] = "/tmp/memwatch-jitdump-XXXXXX";

	assert_non_null(mkdtemp(directory));
	snprintf(dump->directory, sizeof(dump->directory), "%s", directory);
	snprintf(dump->path, sizeof(dump->path), "%s/jit-%d.dump", directory, (int)own_pid());
	dump->fd = open(dump->path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	assert_true(dump->fd >= 0);
	dump->page = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, dump->fd, 0);
	assert_true(dump->page != MAP_FAILED);
	dump->proc_fd = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_true(dump->proc_fd >= 0);
}

static void dump_open(struct dump *dump)
{
	dump_open_empty(dump);
	append_header(dump, 0x4a695444, MACHINE, own_pid());
}

static void dump_close(struct dump *dump)
{
	munmap(dump->page, 4096);
	close(dump->fd);
	close(dump->proc_fd);
	run_command("rm -rf %s", dump->directory);
}

/* The mapping's line of the maps file; path points into line. */
static void find_mapping(const struct dump *dump, char line[static PATH_MAX + 128],
			 struct address_range *range)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	bool is_found = false;

	assert_non_null(maps);
	while (!is_found && fgets(line, PATH_MAX + 128, maps)) {
		line[strcspn(line, "\n")] = '\0';
		is_found = !address_range_parse(line, range) && !strcmp(range->path, dump->path);
	}
	fclose(maps);
	assert_true(is_found);
}

static int try_open(const struct dump *dump, struct jitdump **opened)
{
	char line[PATH_MAX + 128];
	struct address_range range;

	find_mapping(dump, line, &range);
	return jitdump_open(dump->proc_fd, getpid(), &range, opened);
}

static struct jitdump *read_dump(const struct dump *dump)
{
	struct jitdump *opened;

	assert_int_equal(try_open(dump, &opened), 0);
	jitdump_refresh(opened);
	return opened;
}

static void assert_code(const struct jitdump *dump, uint64_t address, const char *function,
			const char *file, uint32_t line)
{
	struct jitdump_code code;

	if (!function) {
		assert_int_equal(jitdump_find(dump, address, &code), -ENOENT);
		return;
	}
	assert_int_equal(jitdump_find(dump, address, &code), 0);
	assert_string_equal(code.function, function);
	assert_string_equal(code.file, file);
	assert_int_equal(code.line, line);
}

static void test_functions_are_found_by_address(void **state)
{
	const uint64_t unknown[] = {pair(77, 24), 0, 0};
	struct jitdump *read;
	struct dump dump;

	(void)state;
	dump_open(&dump);
	append_load(&dump, 0x20000, CODE_BYTES, "second, with spaces");
	append_numbers(&dump, unknown, 3);
	append_load(&dump, 0x10000, 0x10, "first");
	read = read_dump(&dump);
	assert_code(read, 0xffff, NULL, NULL, 0);
	assert_code(read, 0x10000, "first", "", 0);
	assert_code(read, 0x1000f, "first", "", 0);
	assert_code(read, 0x10010, NULL, NULL, 0);
	assert_code(read, 0x20080, "second, with spaces", "", 0);
	jitdump_free(read);
	dump_close(&dump);
}

static void test_thousands_of_functions_across_windows_are_read(void **state)
{
	struct jitdump *read;
	struct dump dump;

	(void)state;
	dump_open(&dump);
	for (unsigned int i = 1; i <= 3000; i++) {
		char name[32];

		snprintf(name, sizeof(name), "function_%u", i);
		append_load(&dump, i * 0x10000, i, name);
	}
	read = read_dump(&dump);
	for (unsigned int i = 1; i <= 3000; i++) {
		char name[32];

		snprintf(name, sizeof(name), "function_%u", i);
		assert_code(read, i * 0x10000 + i - 1, name, "", 0);
		assert_code(read, i * 0x10000 + i, NULL, NULL, 0);
	}
	jitdump_free(read);
	dump_close(&dump);
}

static void test_later_code_at_an_address_counts_more(void **state)
{
	struct jitdump *read;
	struct dump dump;

	(void)state;
	dump_open(&dump);
	append_load(&dump, 0x10000, 0x100, "before");
	append_load(&dump, 0x10040, 0x10, "within");
	append_load(&dump, 0x10000, 0x40, "after");
	append_load(&dump, 0x20010, 0x10, "small");
	append_load(&dump, 0x20000, 0x100, "around");
	read = read_dump(&dump);
	assert_code(read, 0x10000, "after", "", 0);
	assert_code(read, 0x10044, "within", "", 0);
	assert_code(read, 0x20018, "around", "", 0);
	jitdump_free(read);
	dump_close(&dump);
}

static void test_code_that_moves_keeps_its_name(void **state)
{
	const struct line line = {0x10000, 7, "source.script"};
	struct jitdump *read;
	struct dump dump;

	(void)state;
	dump_open(&dump);
	append_lines(&dump, 0x10000, &line, 1);
	append_load(&dump, 0x10000, 0x100, "mover");
	append_move(&dump, 0x10000, 0x30000, 0x100);
	append_move(&dump, 0x30000, 0x40000, 0x100);
	append_load(&dump, 0x10000, 0x100, "successor");
	append_move(&dump, 0x90000, 0x50000, 0x100); /* of nothing */
	append_move(&dump, 0x60000, 0x60000, 0x100); /* of itself */
	read = read_dump(&dump);
	assert_code(read, 0x40020, "mover", "source.script", 7);
	assert_code(read, 0x30020, "mover", "source.script", 7);
	assert_code(read, 0x10020, "successor", "", 0);
	assert_code(read, 0x50020, NULL, NULL, 0);
	assert_code(read, 0x60020, NULL, NULL, 0);
	jitdump_free(read);
	dump_close(&dump);
}

static void test_lines_are_those_of_the_entry_before(void **state)
{
	const struct line lines[] = {
		{0x10000, 7, "one.script"}, {0x10010, 8, "\xff"}, {0x10020, 3, "two.script"}};
	struct jitdump *read;
	struct dump dump;

	(void)state;
	dump_open(&dump);
	append_lines(&dump, 0x10000, lines, 3);
	append_load(&dump, 0x10000, 0x100, "first");
	append_load(&dump, 0x20000, 0x100, "without lines");
	read = read_dump(&dump);
	assert_code(read, 0x1000f, "first", "one.script", 7);
	assert_code(read, 0x10010, "first", "one.script", 8);
	assert_code(read, 0x100ff, "first", "two.script", 3);
	assert_code(read, 0x20000, "without lines", "", 0);
	jitdump_free(read);
	dump_close(&dump);
}

/* As V8 and LLVM write them, for perf puts an ELF header before the code. */
static void test_lines_that_are_shifted_in_all_of_a_file_are_set_right(void **state)
{
	const struct line lines[] = {{0x10040, 7, "one.script"}, {0x10050, 8, "one.script"}};
	struct jitdump *read;
	struct dump dump;

	(void)state;
	dump_open(&dump);
	append_lines(&dump, 0x10000, lines, 2);
	append_load(&dump, 0x10000, 0x18, "first");
	read = read_dump(&dump);
	assert_code(read, 0x1000f, "first", "one.script", 7);
	assert_code(read, 0x10010, "first", "one.script", 8);
	jitdump_free(read);
	dump_close(&dump);
}

/* Some runtimes write names of files that they have freed already. */
static void test_lines_that_make_no_sense_are_not_told(void **state)
{
	const struct line outside[] = {{0x10000, 7, "one.script"}, {0x10101, 8, "one.script"}};
	const struct line garbage[] = {{0x20000, 7, "g\x02"}};
	struct jitdump *read;
	struct dump dump;

	(void)state;
	dump_open(&dump);
	append_lines(&dump, 0x10000, outside, 2);
	append_load(&dump, 0x10000, 0x100, "first");
	append_lines(&dump, 0x20000, garbage, 1);
	append_load(&dump, 0x20000, 0x100, "second");
	append_lines(&dump, 0x77777, outside, 1); /* of other code */
	append_load(&dump, 0x30000, 0x100, "third");
	read = read_dump(&dump);
	assert_code(read, 0x10004, "first", "", 0);
	assert_code(read, 0x20004, "second", "", 0);
	assert_code(read, 0x30004, "third", "", 0);
	jitdump_free(read);
	dump_close(&dump);
}

static void test_a_record_that_is_being_written_is_read_once_it_is_whole(void **state)
{
	const uint64_t begun[] = {pair(JITDUMP_LOAD, 56 + 5 + 0x10), 0, 0, 0x20000, 0x20000};
	const uint64_t rest[] = {0x10, 2};
	struct jitdump *read;
	struct dump dump;

	(void)state;
	dump_open(&dump);
	append_load(&dump, 0x10000, 0x10, "first");
	append_numbers(&dump, begun, 5);
	read = read_dump(&dump);
	assert_code(read, 0x10000, "first", "", 0);
	assert_code(read, 0x20000, NULL, NULL, 0);
	append_numbers(&dump, rest, 2);
	append(&dump, "whole", 5);
	append(&dump, (char[0x10]){0}, 0x10);
	/* It isn't looked at twice in a second. */
	for (int i = 0; i < 500; i++) {
		struct jitdump_code code;

		jitdump_refresh(read);
		if (!jitdump_find(read, 0x20000, &code))
			break;
		usleep(10000);
	}
	assert_code(read, 0x10000, "first", "", 0);
	assert_code(read, 0x20000, "whole", "", 0);
	jitdump_free(read);
	dump_close(&dump);
}

static void test_damage_ends_the_file_and_keeps_what_came_before(void **state)
{
	const uint64_t no_record[] = {pair(JITDUMP_LOAD, 8), 0, 0};
	const uint64_t senseless[] = {pair(JITDUMP_LOAD, 16), 0};
	struct jitdump *read;
	struct dump dump;

	(void)state;
	dump_open(&dump);
	append_numbers(&dump, senseless, 2);
	append_load(&dump, 0x10000, 0x10, "before");
	append_numbers(&dump, no_record, 3);
	append_load(&dump, 0x20000, 0x10, "behind");
	read = read_dump(&dump);
	assert_code(read, 0x10000, "before", "", 0);
	assert_code(read, 0x20000, NULL, NULL, 0);
	jitdump_free(read);
	dump_close(&dump);
}

static void test_what_comes_after_the_end_is_not_read(void **state)
{
	const uint64_t end[] = {pair(JITDUMP_CLOSE, 16), 0};
	struct jitdump *read;
	struct dump dump;

	(void)state;
	dump_open(&dump);
	append_load(&dump, 0x10000, 0x10, "before");
	append_numbers(&dump, end, 2);
	append_load(&dump, 0x20000, 0x10, "behind");
	read = read_dump(&dump);
	assert_code(read, 0x10000, "before", "", 0);
	assert_code(read, 0x20000, NULL, NULL, 0);
	jitdump_free(read);
	dump_close(&dump);
}

static void test_a_file_that_changes_gives_no_wrong_names(void **state)
{
	struct jitdump *read;
	struct dump dump;

	(void)state;
	dump_open(&dump);
	append_load(&dump, 0x10000, 0x10, "first");
	read = read_dump(&dump);
	assert_int_equal(ftruncate(dump.fd, JITDUMP_HEADER_BYTES), 0);
	assert_code(read, 0x10000, NULL, NULL, 0);
	append_load(&dump, 0x50000, 0x10, "other");
	assert_code(read, 0x10000, NULL, NULL, 0);
	jitdump_free(read);
	dump_close(&dump);
}

static void assert_refused(uint32_t magic, uint32_t machine, uint32_t pid, int error)
{
	struct jitdump *opened;
	struct dump dump;

	dump_open_empty(&dump);
	append_header(&dump, magic, machine, pid);
	assert_int_equal(try_open(&dump, &opened), error);
	dump_close(&dump);
}

static void test_files_of_others_are_refused(void **state)
{
	(void)state;
	assert_refused(0x4a695444, MACHINE, own_pid() + 1, -ESRCH);
	assert_refused(0x4a695444, EM_386, own_pid(), -ENOEXEC);
	assert_refused(0x4454694a, MACHINE, own_pid(), -ENOTSUP);
	assert_refused(0x464c457f, MACHINE, own_pid(), -EINVAL);
}

static void test_a_file_of_another_user_is_refused(void **state)
{
	struct jitdump *opened;
	struct dump dump;

	(void)state;
	if (geteuid() != 0)
		skip();
	dump_open(&dump);
	run_command("chown 12345 %s", dump.path);
	assert_int_equal(try_open(&dump, &opened), -EPERM);
	dump_close(&dump);
}

static void test_a_header_that_is_not_there_yet_is_waited_for(void **state)
{
	struct jitdump *opened;
	struct dump dump;

	(void)state;
	dump_open_empty(&dump);
	assert_int_equal(try_open(&dump, &opened), -EAGAIN);
	append_header(&dump, 0x4a695444, MACHINE, own_pid());
	assert_int_equal(try_open(&dump, &opened), 0);
	jitdump_free(opened);
	dump_close(&dump);
}

static void test_an_address_space_finds_the_dump_that_is_mapped(void **state)
{
	const struct line line = {0x10000, 7, "source.script"};
	struct module_cache *cache = module_cache_new(CACHE_BYTES, 64);
	struct address_space *space = address_space_new(getpid(), cache);
	struct symbol_name name;
	struct dump dump;

	(void)state;
	assert_non_null(space);
	dump_open(&dump);
	append_lines(&dump, 0x10000, &line, 1);
	append_load(&dump, 0x10000, 0x10, "compiled");
	assert_int_equal(address_space_refresh(space), 0);
	assert_int_equal(address_space_unreadable(space), 0);
	assert_int_equal(address_space_name_code(space, 0x10008, &name), 0);
	assert_string_equal(name.function, "compiled");
	assert_string_equal(name.file, "source.script");
	assert_int_equal(name.line, 7);
	assert_int_equal(address_space_name_code(space, 0x20000, &name), -ENOENT);
	address_space_free(space);
	module_cache_free(cache);
	dump_close(&dump);
}

static void test_only_names_of_dumps_are_taken_for_dumps(void **state)
{
	(void)state;
	assert_true(jitdump_is_path("/tmp/jit-1.dump"));
	assert_true(jitdump_is_path("/srv/.debug/jit/x/jit-4242.dump"));
	assert_false(jitdump_is_path("/tmp/jit-.dump"));
	assert_false(jitdump_is_path("/tmp/jit-1.dumped"));
	assert_false(jitdump_is_path("/tmp/jit-1a.dump"));
	assert_false(jitdump_is_path("/tmp/jit-1.dump/libc.so"));
	assert_false(jitdump_is_path("jit-1.dump"));
	assert_false(jitdump_is_path(""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_functions_are_found_by_address),
		cmocka_unit_test(test_thousands_of_functions_across_windows_are_read),
		cmocka_unit_test(test_later_code_at_an_address_counts_more),
		cmocka_unit_test(test_code_that_moves_keeps_its_name),
		cmocka_unit_test(test_lines_are_those_of_the_entry_before),
		cmocka_unit_test(test_lines_that_are_shifted_in_all_of_a_file_are_set_right),
		cmocka_unit_test(test_lines_that_make_no_sense_are_not_told),
		cmocka_unit_test(test_a_record_that_is_being_written_is_read_once_it_is_whole),
		cmocka_unit_test(test_damage_ends_the_file_and_keeps_what_came_before),
		cmocka_unit_test(test_what_comes_after_the_end_is_not_read),
		cmocka_unit_test(test_a_file_that_changes_gives_no_wrong_names),
		cmocka_unit_test(test_files_of_others_are_refused),
		cmocka_unit_test(test_a_file_of_another_user_is_refused),
		cmocka_unit_test(test_a_header_that_is_not_there_yet_is_waited_for),
		cmocka_unit_test(test_an_address_space_finds_the_dump_that_is_mapped),
		cmocka_unit_test(test_only_names_of_dumps_are_taken_for_dumps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
