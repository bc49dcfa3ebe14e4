/* SPDX-License-Identifier: Apache-2.0 */
/* Debug files that were fetched: which are kept, which are refused, which go first. */
#include "symbol/debug_cache.h"
#include "symbol_program.h"

#include <errno.h>
#include <sys/stat.h>

#define CACHE_BYTES (1u << 20)
#define FILE_BYTES  (300u << 10)

static const char first[] = "1111111111111111", second[] = "2222222222222222",
		  third[] = "3333333333333333", fourth[] = "4444444444444444";

struct fixture {
	char directory[64];
	struct debug_cache *cache;
};

static void fixture_open(struct fixture *fixture)
{
	char directory[] = "/tmp/memwatch-debug-cache-XXXXXX";

	assert_non_null(mkdtemp(directory));
	snprintf(fixture->directory, sizeof(fixture->directory), "%s", directory);
	assert_int_equal(debug_cache_open(directory, CACHE_BYTES, &fixture->cache), 0);
}

static void fixture_close(struct fixture *fixture)
{
	debug_cache_close(fixture->cache);
	run_command("rm -rf %s", fixture->directory);
}

/* A file of so many bytes that has a build-id. To be freed. */
static char *make_file(const struct fixture *fixture, const char *build_id, size_t bytes)
{
	char path[128], *content = calloc(1, bytes);
	FILE *file;

	snprintf(path, sizeof(path), "%s/made", fixture->directory);
	run_command("cd %s && echo 'int x;' >made.c && gcc -shared -nostdlib "
		    "-Wl,--build-id=0x%s -o made made.c",
		    fixture->directory, build_id);
	file = fopen(path, "r");
	assert_non_null(file);
	assert_true(fread(content, 1, bytes, file) > 0);
	assert_true(feof(file));
	fclose(file);
	return content;
}

/* content: of the file of another build-id, perhaps. */
static int keep(struct fixture *fixture, const char *build_id, const char *content, size_t bytes)
{
	struct debug_cache_part part;

	assert_int_equal(debug_cache_begin(fixture->cache, build_id, &part), 0);
	/* In two pieces. */
	assert_int_equal(debug_cache_write(&part, content, bytes / 3), 0);
	assert_int_equal(debug_cache_write(&part, content + bytes / 3, bytes - bytes / 3), 0);
	return debug_cache_keep(&part);
}

static void keep_file(struct fixture *fixture, const char *build_id, size_t bytes)
{
	char *content = make_file(fixture, build_id, bytes);

	assert_int_equal(keep(fixture, build_id, content, bytes), 0);
	free(content);
}

static bool has(struct fixture *fixture, const char *build_id)
{
	struct symbol_file file;

	if (debug_cache_open_file(fixture->cache, build_id, &file))
		return false;
	assert_true(file.bytes > 0);
	close(file.fd);
	return true;
}

/* When it was used last, so many seconds ago. */
static void set_age(const struct fixture *fixture, const char *build_id, int seconds)
{
	run_command("touch -d '-%d seconds' %s/debuginfo/%s.debug", seconds, fixture->directory,
		    build_id);
}

static void test_a_file_is_kept_by_its_build_id(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	assert_false(has(&fixture, first));
	keep_file(&fixture, first, FILE_BYTES);
	assert_true(has(&fixture, first));
	assert_false(has(&fixture, second));
	assert_int_equal(debug_cache_bytes(fixture.cache), FILE_BYTES);
	/* It is there for the next one too. */
	debug_cache_close(fixture.cache);
	assert_int_equal(debug_cache_open(fixture.directory, CACHE_BYTES, &fixture.cache), 0);
	assert_true(has(&fixture, first));
	assert_int_equal(debug_cache_bytes(fixture.cache), FILE_BYTES);
	run_command("test $(stat -c %%a %s/debuginfo) = 700", fixture.directory);
	run_command("test $(stat -c %%a %s/debuginfo/%s.debug) = 600", fixture.directory, first);
	fixture_close(&fixture);
}

static void test_what_was_not_used_for_longest_goes_first(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	keep_file(&fixture, first, FILE_BYTES);
	keep_file(&fixture, second, FILE_BYTES);
	keep_file(&fixture, third, FILE_BYTES);
	set_age(&fixture, first, 300);
	set_age(&fixture, second, 200);
	set_age(&fixture, third, 100);
	assert_true(has(&fixture, first)); /* which uses it */
	keep_file(&fixture, fourth, FILE_BYTES);
	assert_true(has(&fixture, first));
	assert_false(has(&fixture, second));
	assert_true(has(&fixture, third));
	assert_true(has(&fixture, fourth));
	assert_int_equal(debug_cache_bytes(fixture.cache), 3 * FILE_BYTES);
	fixture_close(&fixture);
}

static void test_a_smaller_cache_than_last_time_is_kept_to(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	keep_file(&fixture, first, FILE_BYTES);
	keep_file(&fixture, second, FILE_BYTES);
	set_age(&fixture, second, 100);
	debug_cache_close(fixture.cache);
	assert_int_equal(debug_cache_open(fixture.directory, FILE_BYTES + 1, &fixture.cache), 0);
	assert_true(has(&fixture, first));
	assert_false(has(&fixture, second));
	fixture_close(&fixture);
}

static void test_a_file_of_another_build_id_is_not_kept(void **state)
{
	struct fixture fixture;
	char *content;

	(void)state;
	fixture_open(&fixture);
	content = make_file(&fixture, first, FILE_BYTES);
	assert_int_equal(keep(&fixture, second, content, FILE_BYTES), -EBADMSG);
	memset(content, 'x', FILE_BYTES);
	assert_int_equal(keep(&fixture, first, content, FILE_BYTES), -EBADMSG);
	free(content);
	assert_false(has(&fixture, first));
	assert_false(has(&fixture, second));
	run_command("test -z \"$(ls -A %s/debuginfo)\"", fixture.directory);
	fixture_close(&fixture);
}

static void test_a_file_that_was_changed_is_not_used(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	keep_file(&fixture, first, FILE_BYTES);
	run_command("cd %s/debuginfo && mv %s.debug %s.debug", fixture.directory, first, second);
	assert_false(has(&fixture, second));
	run_command("cd %s/debuginfo && ln -s %s.debug %s.debug && mkfifo %s.debug",
		    fixture.directory, second, third, fourth);
	assert_false(has(&fixture, third));
	assert_false(has(&fixture, fourth));
	fixture_close(&fixture);
}

static void test_a_file_larger_than_half_of_it_is_refused(void **state)
{
	struct debug_cache_part part;
	struct fixture fixture;
	char *content = calloc(1, CACHE_BYTES / 2 + 1);

	(void)state;
	fixture_open(&fixture);
	keep_file(&fixture, first, FILE_BYTES);
	assert_int_equal(debug_cache_begin(fixture.cache, second, &part), 0);
	assert_int_equal(debug_cache_write(&part, content, CACHE_BYTES / 2 + 1), -EFBIG);
	assert_int_equal(debug_cache_write(&part, content, CACHE_BYTES / 2), 0);
	assert_int_equal(debug_cache_write(&part, content, 1), -EFBIG);
	debug_cache_abandon(&part);
	assert_true(has(&fixture, first));
	run_command("test $(ls -A %s/debuginfo) = %s.debug", fixture.directory, first);
	free(content);
	fixture_close(&fixture);
}

static void test_what_an_end_left_unfinished_is_removed(void **state)
{
	struct debug_cache_part part;
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	assert_int_equal(debug_cache_begin(fixture.cache, first, &part), 0);
	assert_int_equal(debug_cache_write(&part, "unfinished", 10), 0);
	close(part.fd);
	debug_cache_close(fixture.cache);
	assert_int_equal(debug_cache_open(fixture.directory, CACHE_BYTES, &fixture.cache), 0);
	run_command("test -z \"$(ls -A %s/debuginfo)\"", fixture.directory);
	fixture_close(&fixture);
}

static void test_only_build_ids_are_names_of_files(void **state)
{
	static const char *const bad[] = {"",
					  "11",
					  "../../../../etc/passwd",
					  "111111111111111g",
					  "11111111111111111",
					  "AAAAAAAAAAAAAAAA"};
	struct debug_cache_part part;
	struct symbol_file file;
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	assert_true(debug_cache_is_id(first));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_false(debug_cache_is_id(bad[i]));
		assert_int_equal(debug_cache_open_file(fixture.cache, bad[i], &file), -ENOENT);
		assert_int_equal(debug_cache_begin(fixture.cache, bad[i], &part), -EINVAL);
	}
	fixture_close(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_file_is_kept_by_its_build_id),
		cmocka_unit_test(test_what_was_not_used_for_longest_goes_first),
		cmocka_unit_test(test_a_smaller_cache_than_last_time_is_kept_to),
		cmocka_unit_test(test_a_file_of_another_build_id_is_not_kept),
		cmocka_unit_test(test_a_file_that_was_changed_is_not_used),
		cmocka_unit_test(test_a_file_larger_than_half_of_it_is_refused),
		cmocka_unit_test(test_what_an_end_left_unfinished_is_removed),
		cmocka_unit_test(test_only_build_ids_are_names_of_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
