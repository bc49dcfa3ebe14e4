/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/prometheus.h"
#include "serve/prometheus_table.h"
#include "serve_fake.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *written(enum prometheus_format format)
{
	struct answer_metrics *metrics = fake_metrics();
	struct text text;

	text_init(&text, 1 << 20);
	prometheus_write(&text, format, metrics);
	answer_metrics_free(metrics);
	text_append(&text, "", 1);
	assert_int_equal(text.error, 0);
	return text.data;
}

static void test_promtool_finds_nothing_to_complain_of(void **state)
{
	char *text = written(PROMETHEUS_TEXT);
	FILE *promtool = popen("promtool check metrics", "w");

	(void)state;
	assert_non_null(promtool);
	fputs(text, promtool);
	assert_int_equal(pclose(promtool), 0);
	free(text);
}

static void test_every_metric_is_described_in_both_formats(void **state)
{
	char *text = written(PROMETHEUS_TEXT), *openmetrics = written(PROMETHEUS_OPENMETRICS);

	(void)state;
	for (size_t i = 0; i < prometheus_table_length; i++) {
		const struct metric *metric = &prometheus_table[i];
		bool is_counter = metric->type == METRIC_COUNTER;
		size_t length = strlen(metric->name);
		char line[256];

		assert_true(strncmp(metric->name, "memwatch_", 9) == 0);
		assert_true(is_counter == (strcmp(metric->name + length - 6, "_total") == 0));
		snprintf(line, sizeof(line), "\n# TYPE %s %s\n", metric->name,
			 is_counter ? "counter" : "gauge");
		assert_non_null(strstr(text, line));
		snprintf(line, sizeof(line), "# HELP %s %s\n", metric->name, metric->help);
		assert_non_null(strstr(text, line));
		snprintf(line, sizeof(line), "\n# TYPE %.*s %s\n",
			 (int)(is_counter ? length - 6 : length), metric->name,
			 is_counter ? "counter" : "gauge");
		assert_non_null(strstr(openmetrics, line));
		snprintf(line, sizeof(line), "\n%s", metric->name);
		assert_non_null(strstr(text, line));
		assert_non_null(strstr(openmetrics, line));
	}
	free(text);
	free(openmetrics);
}

static void test_openmetrics_ends_with_its_end(void **state)
{
	char *text = written(PROMETHEUS_TEXT), *openmetrics = written(PROMETHEUS_OPENMETRICS);

	(void)state;
	assert_string_equal(openmetrics + strlen(openmetrics) - 7, "\n# EOF\n");
	assert_null(strstr(text, "# EOF"));
	free(text);
	free(openmetrics);
}

static void test_labels_are_escaped(void **state)
{
	char *text = written(PROMETHEUS_TEXT);

	(void)state;
	assert_non_null(strstr(text,
			       "memwatch_target_outstanding_bytes{pid=\"100\",comm=\"a\\\"b\\\\c"
			       "\\nd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd("
			       "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"} 1048576\n"));
	free(text);
}

static void test_values_are_the_fields_of_the_table(void **state)
{
	char *text = written(PROMETHEUS_TEXT);

	(void)state;
	assert_non_null(strstr(text, "\nmemwatch_build_info{version=\"0.1.0\"} 1\n"));
	assert_non_null(strstr(text, "\nmemwatch_cpu_seconds_total 0.25\n"));
	assert_non_null(strstr(text, "\nmemwatch_events_total 18446744073709551615\n"));
	assert_non_null(strstr(text, "\nmemwatch_map_max{map=\"blocks\"} 1000000\n"));
	assert_non_null(strstr(text, "\nmemwatch_lost_total{reason=\"map_full\"} 3\n"));
	assert_non_null(strstr(text, "\nmemwatch_host_page_faults_total{type=\"major\"} 0\n"));
	assert_non_null(strstr(text, "{pid=\"200\",comm=\"sh\",type=\"anon\"} 2\n"));
	free(text);
}

static void test_what_is_not_calibrated_has_no_series(void **state)
{
	struct answer_metrics *metrics = fake_metrics();
	struct text text;

	(void)state;
	metrics->targets.targets[0].overhead_share = -1;
	metrics->targets.targets[0].control.budget_share = INFINITY;
	text_init(&text, 1 << 20);
	prometheus_write(&text, PROMETHEUS_TEXT, metrics);
	text_append(&text, "", 1);
	assert_null(strstr(text.data, "memwatch_target_overhead_ratio{"));
	assert_null(strstr(text.data, "memwatch_target_budget_ratio{"));
	answer_metrics_free(metrics);
	text_free(&text);
}

static void test_the_format_is_the_one_asked_for(void **state)
{
	static const struct {
		const char *accept;
		enum prometheus_format format;
	} asked[] = {
		{NULL, PROMETHEUS_TEXT},
		{"", PROMETHEUS_TEXT},
		{"*/*", PROMETHEUS_TEXT},
		{"text/plain", PROMETHEUS_TEXT},
		{"application/openmetrics-text", PROMETHEUS_OPENMETRICS},
		{"Application/OpenMetrics-Text; Version=1.0.0", PROMETHEUS_OPENMETRICS},
		{"application/openmetrics-text;version=0.0.1", PROMETHEUS_TEXT},
		{"application/openmetrics-text;version=1.0.0;q=0", PROMETHEUS_TEXT},
		{"application/openmetrics-text;version=1.0.0;q=0.4,text/plain;q=0.5",
		 PROMETHEUS_TEXT},
		{"application/openmetrics-text;q=nan", PROMETHEUS_TEXT},
		{"application/openmetrics-textual", PROMETHEUS_TEXT},
		{",;=,;q,application/openmetrics-text;;", PROMETHEUS_OPENMETRICS},
		/* Prometheus 2.42 */
		{"application/openmetrics-text;version=1.0.0,application/openmetrics-text;"
		 "version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
		 PROMETHEUS_OPENMETRICS},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
		if (prometheus_choose_format(asked[i].accept) != asked[i].format)
			fail_msg("Accept: %s", asked[i].accept);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_promtool_finds_nothing_to_complain_of),
		cmocka_unit_test(test_every_metric_is_described_in_both_formats),
		cmocka_unit_test(test_openmetrics_ends_with_its_end),
		cmocka_unit_test(test_labels_are_escaped),
		cmocka_unit_test(test_values_are_the_fields_of_the_table),
		cmocka_unit_test(test_what_is_not_calibrated_has_no_series),
		cmocka_unit_test(test_the_format_is_the_one_asked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
