/* SPDX-License-Identifier: Apache-2.0 */
#include "render.h"

#include "stack.h"
#include "table.h"

#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct page {
	struct render render;
	char *text;
	size_t length;
};

static void page_open(struct page *page, size_t width)
{
	*page = (struct page){.render = {.width = width}};
	page->render.stream = open_memstream(&page->text, &page->length);
	assert_non_null(page->render.stream);
}

static void page_assert(struct page *page, const char *expected)
{
	fclose(page->render.stream);
	assert_string_equal(page->text, expected);
	free(page->text);
}

static void test_text_is_escaped_and_styled_only_with_color(void **state)
{
	struct page page;

	(void)state;
	page_open(&page, 80);
	render_text(&page.render, RENDER_ALARM, "%s", "a\nb\033[2J");
	page_assert(&page, "a\\nb\\x1b[2J");
	page_open(&page, 80);
	page.render.has_color = true;
	render_text(&page.render, RENDER_ALARM, "%s", "a\033b");
	render_text(&page.render, RENDER_PLAIN, "c");
	page_assert(&page, "\033[1;31ma\\x1bb\033[0mc");
}

static void test_paragraphs_wrap_between_words(void **state)
{
	struct page page;

	(void)state;
	page_open(&page, 12);
	render_paragraph(&page.render, RENDER_PLAIN, 2, "one two three four");
	page_assert(&page, "  one two\n  three four\n");
	page_open(&page, 10);
	render_paragraph(&page.render, RENDER_PLAIN, 0, "unbreakableword x");
	page_assert(&page, "unbreakableword\nx\n");
	page_open(&page, 20);
	render_labelled(&page.render, RENDER_PLAIN, "  label", 10, "one two three");
	page_assert(&page, "  label   one two\n          three\n");
}

static void test_tables_align_and_one_column_gives_way(void **state)
{
	static const struct table_column columns[] = {
		{.title = "PID", .is_right_aligned = true},
		{.title = "COMM", .gives_way = true},
		{.title = "RSS", .is_right_aligned = true},
	};
	struct table *table = table_new(columns, 3);
	struct page page;

	(void)state;
	table_add(table, RENDER_PLAIN, "7");
	table_add(table, RENDER_PLAIN, "a name that is far too long");
	table_add(table, RENDER_PLAIN, "1 B");
	table_add(table, RENDER_PLAIN, "4242");
	table_add(table, RENDER_PLAIN, "Größe\n");
	table_add(table, RENDER_PLAIN, "12 B");
	page_open(&page, 24);
	table_finish(table, &page.render);
	page_assert(&page, " PID  COMM           RSS\n"
			   "   7  a name that…   1 B\n"
			   "4242  Größe\\n       12 B\n");
}

static void show_stack(struct page *page, const char *json)
{
	cJSON *site = cJSON_Parse(json);

	assert_non_null(site);
	stack_show(&page->render, site);
	cJSON_Delete(site);
}

static void test_frames_say_what_and_where_as_far_as_known(void **state)
{
	struct page page;

	(void)state;
	page_open(&page, 80);
	show_stack(&page,
		   "{\"stack_end\": \"root\", \"stack\": ["
		   "{\"function\": \"load\", \"file\": \"/a/b.c\", \"line\": 42},"
		   "{\"function\": \"main\", \"module\": \"/usr/lib/libx.so\", \"offset\": 4096},"
		   "{\"function\": null, \"module\": \"/usr/lib/libc.so.6\", \"offset\": 17},"
		   "{\"module\": null, \"offset\": 255}]}");
	page_assert(&page, "      load  /a/b.c:42\n"
			   "      main  libx.so+0x1000\n"
			   "      libc.so.6+0x11\n"
			   "      0xff (in no file)\n");
}

static void test_a_narrow_terminal_keeps_line_numbers(void **state)
{
	struct page page;

	(void)state;
	page_open(&page, 40);
	show_stack(&page, "{\"stack\": [{\"function\": \"std::vector<int>::push_back(int const&)\","
			  "\"file\": \"/very/long/path/to/the/source.cc\", \"line\": 42}]}");
	page_assert(&page, "      std::vector<int…  …he/source.cc:42\n");
}

static void test_frames_may_be_anything(void **state)
{
	struct page page;

	(void)state;
	page_open(&page, 80);
	show_stack(&page, "{\"stack_end\": \"\\u001b[2J\", \"stack\": [5, null, \"x\", {},"
			  "{\"function\": \"\\u001b[2J\", \"module\": \"/\", \"offset\": 1e300},"
			  "{\"function\": 5, \"file\": \"f\", \"line\": -1}]}");
	page_assert(&page, "      0x0 (in no file)\n      0x0 (in no file)\n"
			   "      0x0 (in no file)\n      0x0 (in no file)\n"
			   "      \\x1b[2J  /+0x0\n      f\n"
			   "      (the stack stops here: \\x1b[2J)\n");
	page_open(&page, 80);
	show_stack(&page, "{}");
	page_assert(&page, "");
}

static void test_deep_stacks_are_shown_whole(void **state)
{
	cJSON *site = cJSON_CreateObject();
	cJSON *stack = cJSON_AddArrayToObject(site, "stack");
	struct page page;
	size_t lines = 0;

	(void)state;
	for (int i = 0; i < 127; i++) {
		cJSON *frame = cJSON_CreateObject();
		char name[16];

		snprintf(name, sizeof(name), "f%d", i);
		cJSON_AddStringToObject(frame, "function", name);
		cJSON_AddItemToArray(stack, frame);
	}
	page_open(&page, 80);
	stack_show(&page.render, site);
	cJSON_Delete(site);
	fclose(page.render.stream);
	for (const char *c = page.text; *c; c++)
		lines += *c == '\n';
	assert_int_equal(lines, 127);
	assert_non_null(strstr(page.text, "f0 "));
	assert_non_null(strstr(page.text, "f63 "));
	assert_non_null(strstr(page.text, "f126 "));
	free(page.text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text_is_escaped_and_styled_only_with_color),
		cmocka_unit_test(test_paragraphs_wrap_between_words),
		cmocka_unit_test(test_tables_align_and_one_column_gives_way),
		cmocka_unit_test(test_frames_say_what_and_where_as_far_as_known),
		cmocka_unit_test(test_a_narrow_terminal_keeps_line_numbers),
		cmocka_unit_test(test_frames_may_be_anything),
		cmocka_unit_test(test_deep_stacks_are_shown_whole),
	};

	if (!setlocale(LC_CTYPE, "C.UTF-8")) {
		fprintf(stderr,
			"this test needs the locale C.UTF-8, which glibc has had since 2.35\n");
		return 1;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
