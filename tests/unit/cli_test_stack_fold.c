/* SPDX-License-Identifier: Apache-2.0 */
#include "stack_fold.h"

#include "stack.h"

#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define DEEP      127
#define SITES_MAX 200

/* Of the frames of one function, whose offset is its name. */
static cJSON *frame_new(char function)
{
	cJSON *frame = cJSON_CreateObject();
	char name[] = {function, '\0'};

	cJSON_AddStringToObject(frame, "kind", "native");
	cJSON_AddStringToObject(frame, "function", name);
	cJSON_AddStringToObject(frame, "module", "/bin/app");
	cJSON_AddNumberToObject(frame, "offset", function);
	cJSON_AddStringToObject(frame, "file", "app.c");
	cJSON_AddNumberToObject(frame, "line", function);
	cJSON_AddBoolToObject(frame, "inlined", false);
	return frame;
}

/* functions: a letter each, innermost first. */
static cJSON *site_new(const char *functions, const char *end)
{
	cJSON *site = cJSON_CreateObject();
	cJSON *stack = cJSON_AddArrayToObject(site, "stack");

	for (; *functions; functions++)
		cJSON_AddItemToArray(stack, frame_new(*functions));
	if (end)
		cJSON_AddStringToObject(site, "stack_end", end);
	return site;
}

static cJSON *frame_at(const cJSON *site, int index)
{
	return cJSON_GetArrayItem(cJSON_GetObjectItem(site, "stack"), index);
}

/* The sites of one answer. */
struct sites {
	cJSON *sites[SITES_MAX];
	size_t count;
	struct stack_fold *fold;
};

static struct sites sites_new(void)
{
	return (struct sites){.fold = stack_fold_new()};
}

/* Takes the site. */
static struct stack_shared sites_add(struct sites *sites, cJSON *site)
{
	assert_true(sites->count < SITES_MAX);
	sites->sites[sites->count++] = site;
	return stack_fold_add(sites->fold, site, sites->count);
}

static void sites_free(struct sites *sites)
{
	stack_fold_free(sites->fold);
	while (sites->count > 0)
		cJSON_Delete(sites->sites[--sites->count]);
}

static void assert_shared(struct stack_shared shared, size_t frames, size_t site)
{
	assert_int_equal(shared.frames, frames);
	assert_int_equal(shared.site, site);
}

static void test_outer_callers_are_shared_with_the_site_that_shows_them(void **state)
{
	struct sites sites = sites_new();

	(void)state;
	assert_shared(sites_add(&sites, site_new("abcms", "root")), 0, 0);
	assert_shared(sites_add(&sites, site_new("xycms", "root")), 3, 1);
	assert_shared(sites_add(&sites, site_new("zxycms", "root")), 5, 2);
	assert_shared(sites_add(&sites, site_new("vms", "root")), 2, 1);
	assert_shared(sites_add(&sites, site_new("vmt", "root")), 0, 0);
	sites_free(&sites);
}

static void test_what_saves_a_line_alone_stays(void **state)
{
	struct sites sites = sites_new();

	(void)state;
	sites_add(&sites, site_new("abcms", "root"));
	assert_shared(sites_add(&sites, site_new("xs", "root")), 0, 0);
	assert_shared(sites_add(&sites, site_new("xycms", "root")), 3, 1);
	/* One frame more than with site 1 isn't worth going by site 3. */
	assert_shared(sites_add(&sites, site_new("vycms", "root")), 3, 1);
	sites_free(&sites);
}

static void test_the_innermost_function_is_never_left_out(void **state)
{
	struct sites sites = sites_new();
	cJSON *first = site_new("iabms", "root");
	cJSON *again;

	(void)state;
	cJSON_ReplaceItemInObject(frame_at(first, 0), "inlined", cJSON_CreateTrue());
	again = cJSON_Duplicate(first, true);
	sites_add(&sites, first);
	assert_shared(sites_add(&sites, again), 3, 1);
	/* Where another stack begins, its callers have been. */
	assert_shared(sites_add(&sites, site_new("abms", "root")), 3, 1);
	assert_shared(sites_add(&sites, site_new("s", "root")), 0, 0);
	assert_shared(sites_add(&sites, site_new("", "root")), 0, 0);
	sites_free(&sites);
}

static void test_stacks_that_end_otherwise_share_nothing(void **state)
{
	static const char *const ends[] = {"root", "truncated", "guessed_root", "", NULL};
	struct sites sites = sites_new();
	size_t count = sizeof(ends) / sizeof(ends[0]);

	(void)state;
	for (size_t i = 0; i < count; i++)
		assert_shared(sites_add(&sites, site_new("abcms", ends[i])), 0, 0);
	for (size_t i = 0; i < count; i++)
		assert_shared(sites_add(&sites, site_new("xbcms", ends[i])), 4, i + 1);
	sites_free(&sites);
}

static void test_frames_that_differ_in_any_field_are_not_shared(void **state)
{
	static const struct {
		const char *field;
		const char *json;
	} changes[] = {
		{"kind", "\"python\""},
		{"function", "\"other\""},
		{"function", "null"},
		{"offset", "1"},
		{"module", "\"/bin/app2\""},
		{"module", "null"},
		{"file", "\"b.c\""},
		{"file", "null"},
		{"line", "1"},
		{"inlined", "true"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		struct sites sites = sites_new();
		cJSON *other = site_new("xbcms", "root");

		sites_add(&sites, site_new("abcms", "root"));
		cJSON_ReplaceItemInObject(frame_at(other, 2), changes[i].field,
					  cJSON_Parse(changes[i].json));
		assert_shared(sites_add(&sites, other), 2, 1);
		sites_free(&sites);
	}
}

static void test_frames_and_sites_may_be_anything(void **state)
{
	static const char *const odd[] = {
		"{\"stack\": [5, null, \"x\", {}, [], [1]], \"stack_end\": 7}",
		"{\"stack\": {\"a\": 1, \"b\": {\"c\": [true]}}, \"stack_end\": []}",
		"{\"stack\": 3}",
		"{}",
		"null",
	};
	struct sites sites = sites_new();

	(void)state;
	for (int turn = 0; turn < 2; turn++) {
		for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++)
			sites_add(&sites, cJSON_Parse(odd[i]));
	}
	sites_free(&sites);
}

static struct stack_repeat repeat_of(const char *functions)
{
	const cJSON *frames[DEEP];
	cJSON *site = site_new(functions, "root");
	size_t count = strlen(functions);
	struct stack_repeat repeat;

	for (size_t i = 0; i < count; i++)
		frames[i] = frame_at(site, (int)i);
	repeat = stack_repeat_at(frames, count);
	cJSON_Delete(site);
	return repeat;
}

static void assert_repeat(const char *functions, size_t length, size_t times)
{
	struct stack_repeat repeat = repeat_of(functions);

	assert_int_equal(repeat.length, length);
	assert_int_equal(repeat.times, times);
}

static void test_turns_of_a_recursion_are_counted(void **state)
{
	(void)state;
	assert_repeat("a", 1, 0);
	assert_repeat("ab", 1, 0);
	assert_repeat("aaaab", 1, 3);
	assert_repeat("abababm", 2, 2);
	assert_repeat("ababababa", 2, 3);
	assert_repeat("abcdabcdm", 4, 1);
	/* That which saves most. */
	assert_repeat("aaaabaaaab", 5, 1);
	/* A line for a line or two. */
	assert_repeat("aaab", 1, 0);
	assert_repeat("ababm", 1, 0);
	assert_repeat("xaaaa", 1, 0);
}

/* ---- Unfolding gives back what was folded */

/* A generator of its own, so that a failure comes again. */
static unsigned int next_random(uint32_t *random, unsigned int bound)
{
	*random = *random * 1664525 + 1013904223;
	return (*random >> 16) % bound;
}

/* Few functions and few shapes, so that stacks share much and repeat themselves. */
static void random_functions(uint32_t *random, char *functions)
{
	size_t length = next_random(random, 40);

	for (size_t i = 0; i < length; i++)
		functions[i] = (char)('a' + next_random(random, 1 + i % 3));
	functions[length] = '\0';
}

static void test_unfolding_gives_every_stack_back(void **state)
{
	static const char *const ends[] = {"root", "truncated"};
	uint32_t random = 1;
	size_t folded = 0;

	(void)state;
	for (int turn = 0; turn < 50; turn++) {
		char functions[SITES_MAX][64];
		const char *site_ends[SITES_MAX];
		struct sites sites = sites_new();

		for (size_t i = 0; i < SITES_MAX; i++) {
			struct stack_shared shared;
			size_t length, target;

			random_functions(&random, functions[i]);
			site_ends[i] = ends[next_random(&random, 2)];
			length = strlen(functions[i]);
			shared = sites_add(&sites, site_new(functions[i], site_ends[i]));
			assert_true(shared.frames < length || length == 0);
			if (shared.frames == 0)
				continue;
			folded++;
			assert_true(shared.frames >= STACK_FOLD_SAVED_MIN);
			assert_in_range(shared.site, 1, i);
			target = shared.site - 1;
			assert_ptr_equal(site_ends[target], site_ends[i]);
			assert_true(strlen(functions[target]) >= shared.frames);
			assert_string_equal(functions[i] + length - shared.frames,
					    functions[target] + strlen(functions[target]) -
						    shared.frames);
		}
		sites_free(&sites);
	}
	assert_true(folded > 1000);
}

/* ---- As text */

static char *show(const char *const *stacks, size_t width)
{
	struct sites sites = sites_new();
	struct render render = {.width = width};
	char *text;
	size_t length;

	render.stream = open_memstream(&text, &length);
	assert_non_null(render.stream);
	for (; *stacks; stacks++) {
		cJSON *site = site_new(*stacks, sites.count == 2 ? "truncated" : "root");

		sites.sites[sites.count++] = site;
		stack_show_folded(&render, site, sites.fold, sites.count);
	}
	fclose(render.stream);
	sites_free(&sites);
	return text;
}

static void assert_shown(const char *const *stacks, size_t width, const char *expected)
{
	char *text = show(stacks, width);

	assert_string_equal(text, expected);
	free(text);
}

static void test_the_text_leads_to_the_earlier_site(void **state)
{
	static const char *const stacks[] = {"abms", "xbms", "abms", "yms", "abbbbbababababms",
					     NULL};

	(void)state;
	assert_shown(
		stacks, 80,
		"      a  app.c:97\n      b  app.c:98\n      m  app.c:109\n      s  app.c:115\n"
		"      x  app.c:120\n      … 3 callers as in site 1, from b (app.c:98)\n"
		"      a  app.c:97\n      b  app.c:98\n      m  app.c:109\n      s  app.c:115\n"
		"      (deeper than what is recorded: its outermost callers are missing)\n"
		"      y  app.c:121\n      … 2 callers as in site 1, from m (app.c:109)\n"
		"      a  app.c:97\n      b  app.c:98\n      … this frame 4 times more\n"
		"      a  app.c:97\n      b  app.c:98\n      … these 2 frames 2 times more\n"
		"      … 4 callers as in site 1, from a (app.c:97)\n");
}

static void test_the_line_that_leads_fits_the_terminal(void **state)
{
	struct sites sites = sites_new();
	struct render render = {.width = 80};
	char *long_name = calloc(1, 301);
	char *text;
	size_t length;

	(void)state;
	memset(long_name, 'n', 300);
	render.stream = open_memstream(&text, &length);
	assert_non_null(render.stream);
	for (size_t i = 0; i < 2; i++) {
		cJSON *site = site_new(i == 0 ? "abms" : "xbms", "root");

		cJSON_ReplaceItemInObject(frame_at(site, 1), "function",
					  cJSON_CreateString(long_name));
		cJSON_ReplaceItemInObject(
			frame_at(site, 1), "file",
			cJSON_CreateString("/a/long/path/to/some/source/of\033/it.c"));
		sites_add(&sites, site);
	}
	render.width = 40;
	stack_show_folded(&render, sites.sites[1], sites.fold, 3);
	render.width = 80;
	stack_show_folded(&render, sites.sites[1], sites.fold, 4);
	fclose(render.stream);
	assert_string_equal(text, "      x  app.c:120\n"
				  "      … 3 callers as in site 1, from\n"
				  "      nnnnnnnnn… (…b/it.c:98)\n"
				  "      x  app.c:120\n"
				  "      … 3 callers as in site 1, from nnnnnnnnnnnnnnnnnnn… "
				  "(…urce/of\\x1b/it.c:98)\n");
	free(text);
	free(long_name);
	sites_free(&sites);
}

static void test_deep_recursion_takes_few_lines(void **state)
{
	char functions[DEEP + 1] = "a";
	const char *const stacks[] = {functions, NULL};

	(void)state;
	for (size_t i = 1; i < DEEP; i++)
		functions[i] = i % 2 ? 'p' : 'q';
	functions[DEEP - 1] = 'm';
	assert_shown(
		stacks, 80,
		"      a  app.c:97\n      p  app.c:112\n      q  app.c:113\n"
		"      … these 2 frames 61 times more\n      p  app.c:112\n      m  app.c:109\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_outer_callers_are_shared_with_the_site_that_shows_them),
		cmocka_unit_test(test_what_saves_a_line_alone_stays),
		cmocka_unit_test(test_the_innermost_function_is_never_left_out),
		cmocka_unit_test(test_stacks_that_end_otherwise_share_nothing),
		cmocka_unit_test(test_frames_that_differ_in_any_field_are_not_shared),
		cmocka_unit_test(test_frames_and_sites_may_be_anything),
		cmocka_unit_test(test_turns_of_a_recursion_are_counted),
		cmocka_unit_test(test_unfolding_gives_every_stack_back),
		cmocka_unit_test(test_the_text_leads_to_the_earlier_site),
		cmocka_unit_test(test_the_line_that_leads_fits_the_terminal),
		cmocka_unit_test(test_deep_recursion_takes_few_lines),
	};

	if (!setlocale(LC_CTYPE, "C.UTF-8")) {
		fprintf(stderr,
			"this test needs the locale C.UTF-8, which glibc has had since 2.35\n");
		return 1;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
