/* SPDX-License-Identifier: Apache-2.0 */
#include "recording.h"
#include "recording_file.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define START                                                                                   \
	"{\"memwatch_recording\":1,\"pid\":42,\"comm\":\"leaky\",\"began\":\"2026-01-01T00:00:" \
	"00Z\",\"interval_seconds\":1}\n"
#define PROCESS(id)                                                                               \
	"{\"process\":{\"id\":" #id ",\"pid\":42,\"parent_pid\":1,\"comm\":\"a\",\"seconds\":0}}" \
	"\n"
#define SAMPLE(seconds, id)                                                                      \
	"{\"seconds\":" #seconds ",\"missed\":2,\"values\":[{\"id\":" #id ",\"rss_bytes\":4096," \
	"\"outstanding_bytes\":null,\"allocated_bytes\":7}]}\n"

static int parse(struct recording *recording, const char *text)
{
	struct recording_error error;

	*recording = (struct recording){0};
	return recording_parse(recording, text, strlen(text), &error);
}

static void assert_refused(const char *text, const char *why)
{
	struct recording recording = {0};
	struct recording_error error = {""};

	assert_int_equal(recording_parse(&recording, text, strlen(text), &error), -1);
	assert_non_null(strstr(error.message, why));
	assert_null(recording.samples);
	assert_null(recording.comm);
}

static void test_a_recording_is_read(void **state)
{
	struct recording recording;

	(void)state;
	assert_int_equal(parse(&recording,
			       START PROCESS(0) SAMPLE(0, 0) PROCESS(3) SAMPLE(
				       1.5, 3) "{\"note\":\"of a later version\"}\n"
					       "{\"end\":{\"seconds\":2,\"reason\":\"exited\"}}\n"),
			 0);
	assert_string_equal(recording.comm, "leaky");
	assert_int_equal(recording.process_count, 2);
	assert_int_equal(recording.sample_count, 2);
	assert_true(recording.samples[1].seconds == 1.5);
	assert_int_equal(recording.samples[1].missed, 2);
	assert_int_equal(recording.values[1].id, 3);
	assert_true(recording.values[1].rss_bytes == 4096);
	assert_true(isnan(recording.values[1].outstanding_bytes));
	assert_true(isnan(recording.values[1].pss_bytes));
	assert_true(recording.values[1].allocated_bytes == 7);
	assert_string_equal(recording.end_reason, "exited");
	recording_clear(&recording);
}

static void test_a_line_that_was_cut_off_loses_nothing_else(void **state)
{
	struct recording recording;

	(void)state;
	assert_int_equal(parse(&recording, START PROCESS(0) SAMPLE(0, 0) "{\"seconds\":1,\"va"), 0);
	assert_int_equal(recording.sample_count, 1);
	assert_null(recording.end_reason);
	recording_clear(&recording);
}

static void test_what_cannot_be_is_refused_with_its_line(void **state)
{
	(void)state;
	assert_refused("", "no recording");
	assert_refused("root:x:0:0\n", "line 1: this is no recording");
	assert_refused("{\"memwatch\":1}\n", "no recording");
	assert_refused("{\"memwatch_recording\":2}\n", "version 2");
	assert_refused("{\"memwatch_recording\":1,\"pid\":1}\n", "missing");
	assert_refused(START "nonsense\n", "line 2");
	assert_refused(START PROCESS(1) PROCESS(1), "does not rise");
	assert_refused(START PROCESS(-1), "cannot be");
	assert_refused(START PROCESS(0.5), "cannot be");
	assert_refused(START PROCESS(0) SAMPLE(1, 5), "not told of, id 5");
	assert_refused(START PROCESS(0) SAMPLE(2, 0) SAMPLE(1, 0), "line 4: the sample is earlier");
	assert_refused(START PROCESS(0) SAMPLE(-1, 0), "seconds or missed");
	assert_refused(START PROCESS(0) SAMPLE(1e300, 0), "seconds or missed");
	assert_refused(START PROCESS(0) "{\"seconds\":0,\"missed\":0,\"values\":[{\"id\":0,\"rss_"
					"bytes\":-1}]}\n",
		       "a number of the sample");
	assert_refused(START "{\"end\":{\"seconds\":1}}\n", "field of the end");
}

static void add(struct recording *recording, double seconds, uint32_t id, double rss_bytes)
{
	const struct recording_value value = {id, rss_bytes, NAN, 1000 * seconds, 5};

	recording_add_sample(recording, seconds, 1);
	recording_add_value(recording, &value);
}

static struct recording new_recording(void)
{
	return (struct recording){.pid = 42,
				  .interval_seconds = 1,
				  .comm = strdup("a\"b\n\xff"),
				  .began = strdup("2026-01-01T00:00:00Z")};
}

static void test_what_is_written_is_read(void **state)
{
	const struct recording_process process = {.id = 7, .pid = 42, .comm = (char *)"x\"\\\1"};
	struct recording recording = new_recording(), again = {0};
	char *text;
	struct recording_error error;
	size_t bytes;
	FILE *stream = open_memstream(&text, &bytes);

	(void)state;
	recording_add_process(&recording, &process);
	add(&recording, 0.25, 7, 0x1p53);
	recording.end_reason = strdup("time");
	recording_write(stream, &recording);
	fclose(stream);
	assert_int_equal(recording_parse(&again, text, bytes, &error), 0);
	assert_true(again.samples[0].seconds == 0.25);
	assert_true(again.values[0].rss_bytes == 0x1p53);
	assert_true(again.values[0].outstanding_bytes == 250);
	assert_int_equal(again.processes[0].id, 7);
	assert_string_equal(again.processes[0].comm, "x\"\\\\x01");
	assert_string_equal(again.comm, "a\"b\\n\\xff");
	assert_string_equal(again.end_reason, "time");
	recording_clear(&recording);
	recording_clear(&again);
	free(text);
}

static void test_thinning_keeps_peaks_and_counts_what_was_missed(void **state)
{
	struct recording recording = new_recording();
	const double rss_bytes[] = {1, 9, 8, 2, 3};

	(void)state;
	for (uint32_t id = 0; id < 5; id++) {
		const struct recording_process process = {.id = id, .comm = (char *)"x"};

		recording_add_process(&recording, &process);
		add(&recording, id, id, rss_bytes[id]);
	}
	recording_thin(&recording);
	assert_int_equal(recording.sample_count, 3);
	assert_true(recording_sample_rss(&recording, &recording.samples[0]) == 9);
	assert_true(recording_sample_rss(&recording, &recording.samples[1]) == 8);
	assert_true(recording_sample_rss(&recording, &recording.samples[2]) == 3);
	assert_true(recording.samples[1].seconds == 2);
	assert_int_equal(recording.samples[0].missed, 2);
	assert_int_equal(recording.samples[2].missed, 1);
	/* Of the others nothing is left. */
	assert_int_equal(recording.process_count, 3);
	assert_non_null(recording_process(&recording, 1));
	assert_null(recording_process(&recording, 0));
	assert_null(recording_process(&recording, 3));
	recording_clear(&recording);
}

static void test_a_file_stays_within_its_bound_and_is_whole_at_any_time(void **state)
{
	const struct recording_process process = {.id = 0, .pid = 42, .comm = (char *)"x"};
	struct recording recording = new_recording(), again = {0};
	char path[] = "/tmp/memwatch-recording-XXXXXX";
	struct recording_error error;
	struct recording_file file;

	(void)state;
	close(mkstemp(path));
	assert_int_equal(recording_file_open(&file, path, &recording), 0);
	file.samples_max = 64;
	recording_file_put_process(&file, &process);
	for (int i = 0; i < 1000; i++) {
		add(&file.recording, i, 0, i == 500 ? 1e9 : 1e6);
		recording_file_put_sample(&file);
		assert_true(file.recording.sample_count < 64);
		assert_int_equal(recording_read(&again, path, &error), 0);
		assert_int_equal(again.sample_count, file.recording.sample_count);
		recording_clear(&again);
	}
	assert_int_equal(recording_file_close(&file, 1000, "exited"), 0);
	assert_int_equal(recording_read(&again, path, &error), 0);
	assert_true(again.interval_seconds >= 32);
	/* The peak is still there, and so is the last moment. */
	bool has_peak = false;

	for (size_t i = 0; i < again.sample_count; i++)
		has_peak |= recording_sample_rss(&again, &again.samples[i]) == 1e9;
	assert_true(has_peak);
	assert_true(again.samples[again.sample_count - 1].seconds == 999);
	recording_clear(&again);
	unlink(path);
}

static void test_a_file_is_thinned_out_by_its_bytes_too(void **state)
{
	struct recording recording = new_recording();
	char path[] = "/tmp/memwatch-recording-XXXXXX";
	struct recording_file file;

	(void)state;
	close(mkstemp(path));
	assert_int_equal(recording_file_open(&file, path, &recording), 0);
	file.bytes_max = 8192;
	for (uint32_t i = 0; i < 500; i++) {
		const struct recording_process process = {.id = i, .comm = (char *)"short-lived"};

		recording_file_put_process(&file, &process);
		add(&file.recording, i, i, 1e6);
		recording_file_put_sample(&file);
		assert_true(file.bytes < 8192);
	}
	assert_int_equal(recording_file_close(&file, 500, "exited"), 0);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_recording_is_read),
		cmocka_unit_test(test_a_line_that_was_cut_off_loses_nothing_else),
		cmocka_unit_test(test_what_cannot_be_is_refused_with_its_line),
		cmocka_unit_test(test_what_is_written_is_read),
		cmocka_unit_test(test_thinning_keeps_peaks_and_counts_what_was_missed),
		cmocka_unit_test(test_a_file_stays_within_its_bound_and_is_whole_at_any_time),
		cmocka_unit_test(test_a_file_is_thinned_out_by_its_bytes_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
