/* SPDX-License-Identifier: Apache-2.0 */
/* Names that are looked up by a thread, whoever waits for them. */
#include "clock.h"
#include "symbol/module_private.h"
#include "symbol/namer.h"
#include "symbol_program.h"

#include <errno.h>
#include <sched.h>

#define CACHE_BYTES (16u << 20)

/* Long enough for anything here; a test that gets there has failed. */
#define FAR_SECONDS 60.0

#define SHARED_OBJECT "gcc -g -shared -fPIC -nostdlib -Wl,-z,noseparate-code -Wl,--build-id=none"
#define FUNCTIONS     600

/* A library of functions of equal size, and the thread that names them. */
struct fixture {
	struct program object;
	struct module_cache *cache;
	struct module *module;
	uint64_t first_offset, function_bytes;
	struct namer *namer;
	pthread_t thread;
	bool is_running;
};

static void build_functions(struct program *object, const char *prefix, int count)
{
	char *source = NULL;
	size_t size;
	FILE *file = open_memstream(&source, &size);

	for (int i = 0; i < count; i++)
		fprintf(file, "void %s_%05d(void) {}\n", prefix, i);
	fclose(file);
	program_build(object, "c", source, SHARED_OBJECT);
	free(source);
}

static uint64_t function_offset(const struct program *object, const char *prefix, int index)
{
	char command[512], line[64];
	FILE *output;

	snprintf(command, sizeof(command), "nm %s | awk '$3 == \"%s_%05d\" {print $1}'",
		 object->path, prefix, index);
	output = popen(command, "r");
	assert_non_null(output);
	assert_non_null(fgets(line, sizeof(line), output));
	pclose(output);
	return strtoull(line, NULL, 16);
}

static int try_module(struct module_cache *cache, const char *path, struct module **module)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), error;

	assert_true(fd >= 0);
	error = module_cache_get(
		cache, &(struct module_file){.fd = fd, .path = path, .root_fd = -1}, module);
	close(fd);
	return error;
}

static struct module *get_module(struct module_cache *cache, const char *path)
{
	struct module *module = NULL;

	assert_int_equal(try_module(cache, path, &module), 0);
	return module;
}

static void fixture_open(struct fixture *fixture, size_t wanted_max, size_t modules_max)
{
	*fixture = (struct fixture){0};
	build_functions(&fixture->object, "function", FUNCTIONS);
	fixture->cache = module_cache_new(CACHE_BYTES, modules_max);
	fixture->module = get_module(fixture->cache, fixture->object.path);
	fixture->first_offset = function_offset(&fixture->object, "function", 0);
	fixture->function_bytes =
		function_offset(&fixture->object, "function", 1) - fixture->first_offset;
	fixture->namer = namer_new(wanted_max);
	assert_non_null(fixture->namer);
}

static void *run(void *context)
{
	namer_run(context);
	return NULL;
}

static void start_thread(struct fixture *fixture)
{
	assert_int_equal(pthread_create(&fixture->thread, NULL, run, fixture->namer), 0);
	fixture->is_running = true;
}

static void stop_thread(struct fixture *fixture)
{
	if (!fixture->is_running)
		return;
	namer_stop(fixture->namer);
	pthread_join(fixture->thread, NULL);
	fixture->is_running = false;
}

static void fixture_close(struct fixture *fixture)
{
	stop_thread(fixture);
	namer_free(fixture->namer);
	module_release(fixture->module);
	module_cache_free(fixture->cache);
	program_remove(&fixture->object);
}

static uint64_t offset_of(const struct fixture *fixture, uint64_t index)
{
	return fixture->first_offset + index * fixture->function_bytes;
}

static struct name_query *ask_for(const struct fixture *fixture, uint64_t count)
{
	struct name_query *query = name_query_new();

	assert_non_null(query);
	for (uint64_t i = 0; i < count; i++)
		assert_int_equal(name_query_add(query, fixture->module, offset_of(fixture, i)), 0);
	return query;
}

static void assert_named(const struct name_query *query, const struct fixture *fixture,
			 uint64_t index)
{
	const struct named_frame *frame =
		name_query_find(query, fixture->module, offset_of(fixture, index));
	char function[32];

	snprintf(function, sizeof(function), "function_%05d", (int)index);
	assert_non_null(frame);
	assert_int_equal(frame->state, SYMBOL_COMPLETE);
	assert_int_equal(frame->name_count, 1);
	assert_string_equal(frame->names[0].function, function);
	assert_int_equal(frame->names[0].line, index + 1);
}

/* However long that takes. */
static void await_named(struct namer *namer, uint64_t count)
{
	struct namer_statistics statistics;

	do {
		sched_yield();
		namer_read_statistics(namer, &statistics);
	} while (statistics.named_frames < count);
}

static void test_a_set_holds_each_frame_once(void **state)
{
	struct module *modules[2] = {(struct module *)0x1000, (struct module *)0x2000};
	struct name_set set = {0};

	(void)state;
	assert_null(name_set_find(&set, modules[0], 0));
	for (uint64_t i = 0; i < 10000; i++)
		assert_int_equal(name_set_add(&set, modules[i & 1], i / 2), 0);
	for (uint64_t i = 0; i < 10000; i++) {
		const struct named_frame *frame = name_set_find(&set, modules[i & 1], i / 2);

		assert_int_equal(name_set_add(&set, modules[i & 1], i / 2), -EEXIST);
		assert_ptr_equal(frame, &set.frames[i]);
		assert_ptr_equal(frame->module, modules[i & 1]);
		assert_int_equal(frame->file_offset, i / 2);
	}
	assert_int_equal(set.count, 10000);
	assert_null(name_set_find(&set, modules[0], 5000));
	name_set_clear(&set);
}

static void test_who_asks_is_given_all_names(void **state)
{
	struct namer_statistics statistics;
	struct name_query *query;
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture, 10, 8);
	start_thread(&fixture);
	query = ask_for(&fixture, FUNCTIONS);
	assert_int_equal(namer_ask(fixture.namer, query, clock_monotonic_seconds() + FAR_SECONDS),
			 0);
	for (uint64_t i = 0; i < FUNCTIONS; i++)
		assert_named(query, &fixture, i);
	await_named(fixture.namer, FUNCTIONS);
	namer_read_statistics(fixture.namer, &statistics);
	assert_int_equal(statistics.named_frames, FUNCTIONS);
	assert_int_equal(statistics.waiting_frames, 0);
	assert_int_equal(statistics.pending_frames, 0);
	name_query_free(query);
	fixture_close(&fixture);
}

/* Nobody asks before the file is gone, and nobody works when they do. */
static void test_wanted_names_are_known_without_waiting(void **state)
{
	struct name_query *query;
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture, 100, 8);
	for (uint64_t i = 0; i < 50; i++)
		namer_want(fixture.namer, fixture.module, offset_of(&fixture, i));
	start_thread(&fixture);
	await_named(fixture.namer, 50);
	stop_thread(&fixture);
	assert_int_equal(truncate(fixture.object.path, 0), 0);
	query = ask_for(&fixture, 50);
	assert_int_equal(namer_ask(fixture.namer, query, 0), 0);
	for (uint64_t i = 0; i < 50; i++)
		assert_named(query, &fixture, i);
	name_query_free(query);
	fixture_close(&fixture);
}

static void test_what_waits_is_bounded_and_let_go(void **state)
{
	struct namer_statistics statistics;
	struct module *another = NULL;
	struct program object;
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture, 20, 1);
	build_functions(&object, "another", 3);
	for (int round = 0; round < 2; round++)
		for (uint64_t i = 0; i < 25; i++)
			namer_want(fixture.namer, fixture.module, offset_of(&fixture, i));
	namer_read_statistics(fixture.namer, &statistics);
	assert_int_equal(statistics.waiting_frames, 20);
	assert_int_equal(statistics.dropped_frames, 10);

	/* The cache has room for one module, as soon as nobody holds this one. */
	module_release(fixture.module);
	assert_int_equal(try_module(fixture.cache, object.path, &another), -EMFILE);
	start_thread(&fixture);
	await_named(fixture.namer, 20);
	stop_thread(&fixture);
	assert_int_equal(try_module(fixture.cache, object.path, &another), 0);
	fixture.module = another;
	program_remove(&object);
	fixture_close(&fixture);
}

static void test_what_still_waits_at_the_end_is_let_go(void **state)
{
	struct module *another = NULL;
	struct program object;
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture, 20, 1);
	build_functions(&object, "another", 3);
	for (uint64_t i = 0; i < 5; i++)
		namer_want(fixture.namer, fixture.module, offset_of(&fixture, i));
	module_release(fixture.module);
	namer_free(fixture.namer);
	fixture.namer = NULL;
	assert_int_equal(try_module(fixture.cache, object.path, &another), 0);
	fixture.module = another;
	program_remove(&object);
	fixture_close(&fixture);
}

/* A time that has gone by: nobody waits, but the names are looked up all the same. */
static void test_names_that_come_too_late_are_there_the_next_time(void **state)
{
	struct namer_statistics statistics;
	struct name_query *query;
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture, 100, 8);
	query = ask_for(&fixture, 50);
	assert_int_equal(namer_ask(fixture.namer, query, 0), 50);
	assert_int_equal(name_query_find(query, fixture.module, offset_of(&fixture, 3))->state,
			 SYMBOL_UNKNOWN);
	name_query_free(query);
	namer_read_statistics(fixture.namer, &statistics);
	assert_int_equal(statistics.pending_frames, 50);
	assert_int_equal(statistics.waiting_frames, 50);

	start_thread(&fixture);
	await_named(fixture.namer, 50);
	query = ask_for(&fixture, 50);
	assert_int_equal(namer_ask(fixture.namer, query, 0), 0);
	assert_named(query, &fixture, 3);
	name_query_free(query);
	fixture_close(&fixture);
}

/* Of a file that takes for ever; its module's lock is what a thread has that reads it. */
static void test_others_are_not_held_up_by_a_file_that_takes_long(void **state)
{
	struct symbol_frames frames;
	struct name_query *query;
	struct module *slow;
	struct program object;
	struct fixture fixture;
	bool is_stale;

	(void)state;
	fixture_open(&fixture, 100, 8);
	build_functions(&object, "another", 4 * FUNCTIONS);
	slow = get_module(fixture.cache, object.path);
	pthread_mutex_lock(&slow->lock);
	query = ask_for(&fixture, 10);
	assert_int_equal(name_query_add(query, slow, offset_of(&fixture, 0)), 0);
	start_thread(&fixture);
	/* The functions of the small file come first. */
	while (module_find_known(fixture.module, offset_of(&fixture, 9), &frames, &is_stale) !=
	       SYMBOL_FUNCTION_ALONE)
		namer_ask(fixture.namer, query, 0);
	name_query_free(query);

	query = ask_for(&fixture, 10);
	assert_int_equal(namer_ask(fixture.namer, query, 0), 10);
	assert_string_equal(
		name_query_find(query, fixture.module, offset_of(&fixture, 9))->names[0].function,
		"function_00009");
	name_query_free(query);
	pthread_mutex_unlock(&slow->lock);
	query = ask_for(&fixture, 10);
	assert_int_equal(namer_ask(fixture.namer, query, clock_monotonic_seconds() + FAR_SECONDS),
			 0);
	assert_named(query, &fixture, 9);
	name_query_free(query);
	module_release(slow);
	program_remove(&object);
	fixture_close(&fixture);
}

static void *ask_in_vain(void *context)
{
	struct fixture *fixture = context;
	struct name_query *query = ask_for(fixture, 50);
	size_t pending = namer_ask(fixture->namer, query, clock_monotonic_seconds() + FAR_SECONDS);

	name_query_free(query);
	return (void *)pending;
}

static void test_nobody_waits_any_longer_once_it_ends(void **state)
{
	struct namer_statistics statistics;
	struct fixture fixture;
	pthread_t asker;
	void *pending;

	(void)state;
	fixture_open(&fixture, 100, 8);
	assert_int_equal(pthread_create(&asker, NULL, ask_in_vain, &fixture), 0);
	do {
		sched_yield();
		namer_read_statistics(fixture.namer, &statistics);
	} while (statistics.waiting_frames < 50);
	namer_stop(fixture.namer);
	pthread_join(asker, &pending);
	assert_int_equal((size_t)pending, 50);
	fixture_close(&fixture);
}

/* Of a cache that knows nothing yet. What somebody leaves behind is still looked up. */
static void ask_and_go(const struct program *object, const struct fixture *offsets,
		       double patience_seconds)
{
	struct fixture fixture = *offsets;
	struct name_query *query;

	fixture.cache = module_cache_new(CACHE_BYTES, 1);
	fixture.module = get_module(fixture.cache, object->path);
	fixture.namer = namer_new(FUNCTIONS);
	start_thread(&fixture);
	query = ask_for(&fixture, FUNCTIONS);
	namer_ask(fixture.namer, query, clock_monotonic_seconds() + patience_seconds);
	for (size_t i = 0; i < query->set.count; i++)
		if (query->set.frames[i].state == SYMBOL_COMPLETE)
			assert_named(query, &fixture, i);
	name_query_free(query);
	stop_thread(&fixture);
	namer_free(fixture.namer);
	module_release(fixture.module);
	module_cache_free(fixture.cache);
}

static void test_who_goes_while_names_are_being_found_may_do_so_at_any_time(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture, 1, 1);
	for (int i = 0; i < 100; i++)
		ask_and_go(&fixture.object, &fixture, i * 0.0003);
	fixture_close(&fixture);
}

#define ASKERS 4

struct asker {
	struct fixture *fixture;
	pthread_t thread;
	unsigned int seed;
	size_t wrong;
};

static bool is_right(const struct fixture *fixture, const struct named_frame *frame)
{
	uint64_t index = (frame->file_offset - fixture->first_offset) / fixture->function_bytes;
	char function[32];

	snprintf(function, sizeof(function), "function_%05d", (int)index);
	if (frame->state == SYMBOL_UNKNOWN)
		return true;
	return frame->names[0].function && !strcmp(frame->names[0].function, function) &&
	       (frame->state == SYMBOL_FUNCTION_ALONE || frame->names[0].line == index + 1);
}

/* Some don't wait, some go while their names are being found, and some wait for them all. */
static void *ask_often(void *context)
{
	struct asker *asker = context;
	struct fixture *fixture = asker->fixture;

	for (int i = 0; i < 60; i++) {
		struct name_query *query = name_query_new();
		double patience_seconds = i % 8 ? 0.0001 * (i % 8) : FAR_SECONDS;
		double until = clock_monotonic_seconds() + (i % 16 ? patience_seconds : 0);

		for (int j = 0; j < 200; j++)
			name_query_add(
				query, fixture->module,
				offset_of(fixture, (uint64_t)rand_r(&asker->seed) % FUNCTIONS));
		namer_want(fixture->namer, fixture->module, offset_of(fixture, (uint64_t)i));
		asker->wrong += namer_ask(fixture->namer, query, until) && i % 16 == 8;
		for (size_t j = 0; j < query->set.count; j++)
			asker->wrong += !is_right(fixture, &query->set.frames[j]);
		name_query_free(query);
	}
	return NULL;
}

static void test_many_ask_at_once_while_the_cache_evicts(void **state)
{
	struct asker askers[ASKERS];
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture, 50, 8);
	module_release(fixture.module);
	module_cache_free(fixture.cache);
	fixture.cache = module_cache_new(100000, 8);
	fixture.module = get_module(fixture.cache, fixture.object.path);
	start_thread(&fixture);
	for (unsigned int i = 0; i < ASKERS; i++) {
		askers[i] = (struct asker){.fixture = &fixture, .seed = i};
		assert_int_equal(pthread_create(&askers[i].thread, NULL, ask_often, &askers[i]), 0);
	}
	for (int i = 0; i < ASKERS; i++) {
		pthread_join(askers[i].thread, NULL);
		assert_int_equal(askers[i].wrong, 0);
	}
	assert_true(module_cache_bytes(fixture.cache) <= 100000);
	fixture_close(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_set_holds_each_frame_once),
		cmocka_unit_test(test_who_asks_is_given_all_names),
		cmocka_unit_test(test_wanted_names_are_known_without_waiting),
		cmocka_unit_test(test_what_waits_is_bounded_and_let_go),
		cmocka_unit_test(test_what_still_waits_at_the_end_is_let_go),
		cmocka_unit_test(test_names_that_come_too_late_are_there_the_next_time),
		cmocka_unit_test(test_others_are_not_held_up_by_a_file_that_takes_long),
		cmocka_unit_test(test_nobody_waits_any_longer_once_it_ends),
		cmocka_unit_test(test_who_goes_while_names_are_being_found_may_do_so_at_any_time),
		cmocka_unit_test(test_many_ask_at_once_while_the_cache_evicts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
