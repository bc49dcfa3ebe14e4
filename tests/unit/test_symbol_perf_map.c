/* SPDX-License-Identifier: Apache-2.0 */
/* Names of code that a process compiles at run time, from the file where it states them. */
#include "procfs.h"
#include "symbol/perf_map.h"
#include "symbol_program.h"

#include <errno.h>
#include <sys/stat.h>

/* A folder that looks like /proc/PID of this process, with a root directory of its own. */
struct fake {
	char directory[64];
	char map_path[128];
	int proc_fd;
};

static void fake_open(struct fake *fake)
{
	char directory[] = "/tmp/memwatch-perf-map-XXXXXX";
	pid_t pid;

	assert_non_null(mkdtemp(directory));
	snprintf(fake->directory, sizeof(fake->directory), "%s", directory);
	assert_int_equal(procfs_read_namespace_pid(getpid(), &pid), 0);
	snprintf(fake->map_path, sizeof(fake->map_path), "%s/root/tmp/perf-%d.map", directory,
		 (int)pid);
	run_command("mkdir -p %s/root/tmp && touch %s/stat", directory, directory);
	fake->proc_fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_true(fake->proc_fd >= 0);
}

static void fake_close(struct fake *fake)
{
	close(fake->proc_fd);
	run_command("rm -rf %s", fake->directory);
}

static void write_map(const struct fake *fake, const char *text)
{
	FILE *file = fopen(fake->map_path, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static struct perf_map *read_map(const struct fake *fake)
{
	struct perf_map *map = perf_map_new();

	assert_non_null(map);
	perf_map_refresh(map, fake->proc_fd, getpid());
	return map;
}

static void assert_name(const struct perf_map *map, uint64_t address, const char *wanted)
{
	char name[PERF_MAP_NAME_MAX_BYTES];

	if (!wanted) {
		assert_int_equal(perf_map_find(map, address, name), -ENOENT);
		return;
	}
	assert_int_equal(perf_map_find(map, address, name), 0);
	assert_string_equal(name, wanted);
}

static void test_functions_are_found_by_address(void **state)
{
	struct perf_map *map;
	struct fake fake;

	(void)state;
	fake_open(&fake);
	write_map(&fake, "2000 100 second name, with spaces\n"
			 "no line at all\n"
			 "0x1000 0x10 first\n"
			 "3000 10 cut off");
	map = read_map(&fake);
	assert_name(map, 0xfff, NULL);
	assert_name(map, 0x1000, "first");
	assert_name(map, 0x100f, "first");
	assert_name(map, 0x1010, NULL);
	assert_name(map, 0x2080, "second name, with spaces");
	/* A line is good once it has its end. */
	assert_name(map, 0x3000, NULL);
	perf_map_free(map);
	fake_close(&fake);
}

static void test_of_code_that_was_written_over_the_later_line_counts(void **state)
{
	struct perf_map *map;
	struct fake fake;

	(void)state;
	fake_open(&fake);
	write_map(&fake, "1000 100 before\n5000 10 other\n1000 100 after\n1040 10 within\n");
	map = read_map(&fake);
	assert_name(map, 0x1000, "after");
	assert_name(map, 0x1044, "within");
	assert_name(map, 0x1050, "after");
	perf_map_free(map);
	fake_close(&fake);
}

static void test_lines_across_pieces_and_without_end_are_survived(void **state)
{
	struct perf_map *map;
	struct fake fake;
	FILE *file;

	(void)state;
	fake_open(&fake);
	file = fopen(fake.map_path, "w");
	assert_non_null(file);
	for (unsigned int i = 1; i <= 20000; i++)
		fprintf(file, "%x 10 function_%u\n", i * 0x10, i);
	for (int i = 0; i < 200000; i++)
		fputc('x', file);
	fprintf(file, "\n%x 10 last\n", 0x7000000);
	assert_int_equal(fclose(file), 0);
	map = read_map(&fake);
	for (unsigned int i = 1; i <= 20000; i++) {
		char wanted[32];

		snprintf(wanted, sizeof(wanted), "function_%u", i);
		assert_name(map, i * 0x10 + 3, wanted);
	}
	assert_name(map, 0x7000000, "last");
	perf_map_free(map);
	fake_close(&fake);
}

/* Names stay in the file: another one must not be taken for what was there. */
static void test_file_that_changes_gives_no_wrong_names(void **state)
{
	struct perf_map *map;
	struct fake fake;

	(void)state;
	fake_open(&fake);
	write_map(&fake, "1000 10 first\n2000 10 second\n");
	map = read_map(&fake);
	write_map(&fake, "7777 10 other\n8888 10 others\n");
	assert_name(map, 0x1000, NULL);
	assert_name(map, 0x2000, NULL);
	assert_int_equal(truncate(fake.map_path, 0), 0);
	assert_name(map, 0x1000, NULL);
	perf_map_free(map);
	fake_close(&fake);
}

static void test_only_the_users_own_file_is_believed(void **state)
{
	struct perf_map *map;
	struct fake fake;

	(void)state;
	if (geteuid() != 0)
		skip();
	fake_open(&fake);
	write_map(&fake, "1000 10 first\n");
	run_command("chown 12345 %s", fake.map_path);
	map = read_map(&fake);
	assert_name(map, 0x1000, NULL);
	perf_map_free(map);
	run_command("chown 12345 %s/stat", fake.directory);
	map = read_map(&fake);
	assert_name(map, 0x1000, "first");
	perf_map_free(map);
	fake_close(&fake);
}

static void test_places_that_are_no_files_do_no_harm(void **state)
{
	struct perf_map *map;
	struct fake fake;

	(void)state;
	fake_open(&fake);
	assert_int_equal(mkfifo(fake.map_path, 0666), 0);
	map = read_map(&fake);
	assert_name(map, 0x1000, NULL);
	perf_map_free(map);
	/* Out of the root directory there leads no link. */
	run_command("rm %s && printf '1000 10 outside\\n' >%s/outside && ln -s %s/outside %s",
		    fake.map_path, fake.directory, fake.directory, fake.map_path);
	map = read_map(&fake);
	assert_name(map, 0x1000, NULL);
	perf_map_free(map);
	fake_close(&fake);
}

static void assert_no_line(const char *line)
{
	uint64_t start, size;
	size_t name;

	assert_int_equal(perf_map_parse_line(line, strlen(line), &start, &size, &name), -EINVAL);
}

static void test_broken_lines_are_refused(void **state)
{
	(void)state;
	assert_no_line("");
	assert_no_line("1000");
	assert_no_line("1000 10");
	assert_no_line("1000 10 ");
	assert_no_line(" 1000 10 name");
	assert_no_line("0 10 name");
	assert_no_line("1000 0 name");
	assert_no_line("1000 100000000 name");
	assert_no_line("ffffffffffffffff 10 name");
	assert_no_line("10000000000000000 10 name");
	assert_no_line("0x 10 name");
	assert_no_line("10g0 10 name");
}

static void assert_namespace_pid(const char *line, pid_t wanted)
{
	pid_t pid = 0;

	assert_int_equal(procfs_parse_namespace_pid(line, &pid), wanted ? 0 : -EINVAL);
	assert_int_equal(pid, wanted);
}

static void test_pid_of_the_innermost_namespace_is_read(void **state)
{
	(void)state;
	assert_namespace_pid("NSpid:\t4242\n", 4242);
	assert_namespace_pid("NSpid:\t4242\t17\t1\n", 1);
	assert_namespace_pid("NSpid:\n", 0);
	assert_namespace_pid("NSpid:\t42x\n", 0);
	assert_namespace_pid("NSpid:\t-1\n", 0);
	assert_namespace_pid("NSpid:\t99999999999\n", 0);
	assert_namespace_pid("NStgid:\t4242\n", 0);
	assert_namespace_pid("", 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_functions_are_found_by_address),
		cmocka_unit_test(test_of_code_that_was_written_over_the_later_line_counts),
		cmocka_unit_test(test_lines_across_pieces_and_without_end_are_survived),
		cmocka_unit_test(test_file_that_changes_gives_no_wrong_names),
		cmocka_unit_test(test_only_the_users_own_file_is_believed),
		cmocka_unit_test(test_places_that_are_no_files_do_no_harm),
		cmocka_unit_test(test_broken_lines_are_refused),
		cmocka_unit_test(test_pid_of_the_innermost_namespace_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
