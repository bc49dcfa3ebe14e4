/* SPDX-License-Identifier: Apache-2.0 */
#include "plot_script.h"
#include "plot_series.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char *quoted(const char *text)
{
	char *written;
	size_t bytes;
	FILE *stream = open_memstream(&written, &bytes);

	plot_script_quote(stream, text);
	fclose(stream);
	return written;
}

static void assert_quoted(const char *text, const char *wanted)
{
	char *written = quoted(text);

	assert_string_equal(written, wanted);
	free(written);
}

static void test_names_stay_within_their_quotes(void **state)
{
	(void)state;
	assert_quoted("python3", "'python3'");
	assert_quoted("it's", "'it\\x27s'");
	assert_quoted("'; system('id') #", "'\\x27; system(\\x27id\\x27) #'");
	assert_quoted("a\nquit", "'a\\nquit'");
	assert_quoted("\\", "'\\'");
	assert_quoted("`id`", "'`id`'");
	assert_quoted("]]>", "']] >'");
	assert_quoted("", "''");
}

static void add_process(struct recording *recording, uint32_t id)
{
	const struct recording_process process = {.id = id, .pid = id, .comm = (char *)"x'\ny"};

	recording_add_process(recording, &process);
}

static void add_value(struct recording *recording, uint32_t id, double rss_bytes,
		      double outstanding_bytes)
{
	const struct recording_value value = {id, rss_bytes, NAN, outstanding_bytes, NAN};

	recording_add_value(recording, &value);
}

static void test_layers_are_the_largest_processes_and_the_others(void **state)
{
	struct recording recording = {.comm = strdup("x"), .began = strdup("")};
	double bytes[PLOT_LAYERS_MAX + 1];
	struct plot_series series;

	(void)state;
	for (uint32_t id = 0; id < PLOT_LAYERS_MAX + 3; id++)
		add_process(&recording, id);
	recording_add_sample(&recording, 0, 0);
	for (uint32_t id = 0; id < PLOT_LAYERS_MAX + 3; id++)
		add_value(&recording, id, 1000 + id, NAN);
	recording_add_sample(&recording, 10, 4);
	add_value(&recording, 5, 50, 70);
	plot_series_make(&series, &recording);
	assert_int_equal(series.layer_count, PLOT_LAYERS_MAX);
	assert_int_equal(series.other_count, 3);
	assert_int_equal(series.layers[0]->id, 3);
	assert_true(series.rss.seconds == 0);
	assert_true(series.outstanding.bytes == 70 && series.outstanding.seconds == 10);
	assert_true(series.seconds == 10);
	assert_int_equal(series.missed, 4);
	plot_series_layers(&series, &recording, &recording.samples[0], bytes);
	assert_true(bytes[0] == 1003);
	assert_true(bytes[PLOT_LAYERS_MAX] == 1000 + 1001 + 1002);
	recording_clear(&recording);
}

static void test_a_script_stacks_its_layers_and_marks_the_peak(void **state)
{
	struct recording recording = {.comm = strdup("x'\nquit"), .began = strdup("now"), .pid = 1};
	char *script;
	size_t bytes;
	FILE *stream = open_memstream(&script, &bytes);

	(void)state;
	add_process(&recording, 0);
	add_process(&recording, 1);
	recording_add_sample(&recording, 0, 0);
	add_value(&recording, 0, 1 << 20, NAN);
	recording_add_sample(&recording, 1.5, 0);
	add_value(&recording, 0, 1 << 20, 1 << 19);
	add_value(&recording, 1, 2 << 20, NAN);
	plot_script_write(stream, &recording, PLOT_SVG);
	fclose(stream);
	assert_non_null(
		strstr(script, "<< END_OF_DATA\n 0 1 1 1 ?\n 1.5 1 3 3 0.5\nEND_OF_DATA\n"));
	assert_non_null(strstr(script, "set label 1 'peak RSS 3.00 MiB' at 1.5,3 right"));
	assert_non_null(strstr(script, "set label 2 'peak outstanding 512 KiB' at 1.5,0.5"));
	assert_non_null(strstr(script, "set ylabel 'MiB'"));
	assert_non_null(strstr(script, "set title 'x\\x27\\nquit (pid 1), now'"));
	/* The second process lies behind the first, and reaches above it. */
	assert_true(strstr(script, "using 1:3") < strstr(script, "using 1:2"));
	assert_null(strstr(script, "\nquit"));
	recording_clear(&recording);
	free(script);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names_stay_within_their_quotes),
		cmocka_unit_test(test_layers_are_the_largest_processes_and_the_others),
		cmocka_unit_test(test_a_script_stacks_its_layers_and_marks_the_peak),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
