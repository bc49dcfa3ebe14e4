/* SPDX-License-Identifier: Apache-2.0 */
/* Names that were looked up before the debug file was fetched, and are looked up again after. */
#include "clock.h"
#include "symbol/debug_fetcher.h"
#include "symbol/namer.h"
#include "symbol_program.h"

#include <errno.h>
#include <pthread.h>

#define CACHE_BYTES (16u << 20)
/* A test that gets there has failed. */
#define FAR_SECONDS 60.0

/* A shared object whose offsets are its addresses, with a function that .dynsym lacks. */
#define BUILD "gcc -O1 -g -shared -fPIC -nostdlib -Wl,-z,noseparate-code -Wl,--build-id=sha1"

#define HIDDEN_LINE 2
static const char source[] =
	"\n"
	"__attribute__((noinline)) static int hidden(int n) { return n * n + 1; }\n"
	"int shown(int n) { return hidden(n) + 2; }\n";

/* ---- In place of the one that asks servers ---- */

struct debug_fetcher {
	char path[96]; /* of what has been fetched; "": nothing has */
	uint64_t arrivals, wanted;
};

int debug_fetcher_get(struct debug_fetcher *fetcher, const char *build_id, struct symbol_file *file)
{
	assert_true(build_id[0]);
	fetcher->wanted++;
	*file = (struct symbol_file){.fd = -1};
	if (!fetcher->path[0])
		return -ENOENT;
	file->fd = open(fetcher->path, O_RDONLY | O_CLOEXEC);
	assert_true(file->fd >= 0);
	file->bytes = (uint64_t)lseek(file->fd, 0, SEEK_END);
	return 0;
}

uint64_t debug_fetcher_arrivals(const struct debug_fetcher *fetcher)
{
	return __atomic_load_n(&fetcher->arrivals, __ATOMIC_ACQUIRE);
}

static void arrive(struct debug_fetcher *fetcher)
{
	__atomic_fetch_add(&fetcher->arrivals, 1, __ATOMIC_RELEASE);
}

/* ---- A stripped file, and the thread that names it ---- */

struct fixture {
	struct program program;
	struct debug_fetcher fetcher;
	struct module_cache *cache;
	struct module *module;
	struct namer *namer;
	uint64_t hidden;
	pthread_t thread;
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

static void *run(void *context)
{
	namer_run(context);
	return NULL;
}

static void fixture_open(struct fixture *fixture)
{
	struct module_file file = {.path = "/opt/program", .root_fd = -1};

	*fixture = (struct fixture){0};
	program_build(&fixture->program, "c", source, BUILD);
	fixture->hidden = symbol_value(fixture->program.path, "hidden");
	run_command("cd %s && objcopy --only-keep-debug program debug && strip program",
		    fixture->program.directory);
	fixture->cache = module_cache_new(CACHE_BYTES, 8);
	module_cache_set_fetcher(fixture->cache, &fixture->fetcher);
	file.fd = open(fixture->program.path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(module_cache_get(fixture->cache, &file, &fixture->module), 0);
	close(file.fd);
	fixture->namer = namer_new(16);
	assert_int_equal(pthread_create(&fixture->thread, NULL, run, fixture->namer), 0);
}

static void fixture_close(struct fixture *fixture)
{
	namer_stop(fixture->namer);
	pthread_join(fixture->thread, NULL);
	namer_free(fixture->namer);
	module_release(fixture->module);
	module_cache_free(fixture->cache);
	program_remove(&fixture->program);
}

static void fetch(struct fixture *fixture)
{
	snprintf(fixture->fetcher.path, sizeof(fixture->fetcher.path), "%s/debug",
		 fixture->program.directory);
	arrive(&fixture->fetcher);
}

static struct symbol_name ask(struct fixture *fixture)
{
	struct name_query *query = name_query_new();
	const struct named_frame *frame;
	struct symbol_name name;

	assert_non_null(query);
	assert_int_equal(name_query_add(query, fixture->module, fixture->hidden), 0);
	assert_int_equal(namer_ask(fixture->namer, query, clock_monotonic_seconds() + FAR_SECONDS),
			 0);
	frame = name_query_find(query, fixture->module, fixture->hidden);
	assert_int_equal(frame->state, SYMBOL_COMPLETE);
	name = frame->names[0];
	name_query_free(query);
	return name;
}

static enum symbol_state known_state(struct fixture *fixture)
{
	struct symbol_frames frames;
	bool is_stale;

	return module_find_known(fixture->module, fixture->hidden, &frames, &is_stale);
}

static void assert_is_named(struct symbol_name name)
{
	assert_non_null(name.function);
	assert_string_equal(name.function, "hidden");
	assert_int_equal(name.line, HIDDEN_LINE);
}

/* ---- Tests ---- */

static void test_whoever_asks_after_an_arrival_has_the_names(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	assert_null(ask(&fixture).function);
	assert_int_equal(known_state(&fixture), SYMBOL_COMPLETE);
	assert_int_equal(fixture.fetcher.wanted, 1);

	fetch(&fixture);
	assert_int_equal(known_state(&fixture), SYMBOL_FUNCTION_ALONE);
	assert_is_named(ask(&fixture));
	assert_int_equal(known_state(&fixture), SYMBOL_COMPLETE);
	fixture_close(&fixture);
}

static void test_the_arrival_of_another_file_costs_one_look(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	assert_null(ask(&fixture).function);
	arrive(&fixture.fetcher);
	for (int i = 0; i < 3; i++)
		assert_null(ask(&fixture).function);
	assert_int_equal(fixture.fetcher.wanted, 2);
	fixture_close(&fixture);
}

static void test_nothing_is_looked_for_once_the_file_is_there(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	fetch(&fixture);
	assert_is_named(ask(&fixture));
	arrive(&fixture.fetcher);
	assert_int_equal(known_state(&fixture), SYMBOL_COMPLETE);
	assert_is_named(ask(&fixture));
	assert_int_equal(fixture.fetcher.wanted, 1);
	fixture_close(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whoever_asks_after_an_arrival_has_the_names),
		cmocka_unit_test(test_the_arrival_of_another_file_costs_one_look),
		cmocka_unit_test(test_nothing_is_looked_for_once_the_file_is_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
