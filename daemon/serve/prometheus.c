/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/prometheus.h"

#include "serve/prometheus_table.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Both formats escape these three; control characters would end or garble a line. */
#define GONE "\xef\xbf\xbd"
static const char *const label_escapes[TEXT_ESCAPES_LENGTH] = {
	[0x00] = GONE,  [0x01] = GONE, [0x02] = GONE,  [0x03] = GONE,   [0x04] = GONE,
	[0x05] = GONE,  [0x06] = GONE, [0x07] = GONE,  [0x08] = GONE,   [0x09] = GONE,
	[0x0a] = "\\n", [0x0b] = GONE, [0x0c] = GONE,  [0x0d] = GONE,   [0x0e] = GONE,
	[0x0f] = GONE,  [0x10] = GONE, [0x11] = GONE,  [0x12] = GONE,   [0x13] = GONE,
	[0x14] = GONE,  [0x15] = GONE, [0x16] = GONE,  [0x17] = GONE,   [0x18] = GONE,
	[0x19] = GONE,  [0x1a] = GONE, [0x1b] = GONE,  [0x1c] = GONE,   [0x1d] = GONE,
	[0x1e] = GONE,  [0x1f] = GONE, ['"'] = "\\\"", ['\\'] = "\\\\", [0x7f] = GONE,
};

#define LABELS_MAX 3

struct label {
	const char *name;
	const char *value;
	size_t value_length;
};

/* The labels of the series being written; a point's own label comes last. */
struct series {
	struct text *text;
	const struct metric *metric;
	struct label labels[LABELS_MAX];
	size_t label_count;
};

static void push_label(struct series *series, const char *name, const char *value,
		       size_t value_length)
{
	series->labels[series->label_count++] = (struct label){name, value, value_length};
}

static void write_name_and_labels(const struct series *series)
{
	struct text *text = series->text;

	text_append_string(text, series->metric->name);
	for (size_t i = 0; i < series->label_count; i++) {
		const struct label *label = &series->labels[i];

		text_append_string(text, i == 0 ? "{" : ",");
		text_append_string(text, label->name);
		text_append_string(text, "=\"");
		text_append_escaped(text, label->value, label->value_length, label_escapes);
		text_append_string(text, "\"");
	}
	text_append_string(text, series->label_count ? "} " : " ");
}

static void write_uint64(const struct series *series, uint64_t value)
{
	write_name_and_labels(series);
	text_printf(series->text, "%" PRIu64 "\n", value);
}

static void write_double(const struct series *series, double value)
{
	if (!isfinite(value) || value < 0)
		return;
	write_name_and_labels(series);
	text_printf(series->text, "%.17g\n", value);
}

static void write_field(const struct series *series, const void *record,
			const struct metric_point *point)
{
	const void *field = (const char *)record + point->offset;

	switch (point->type) {
	case FIELD_UINT64:
		write_uint64(series, *(const uint64_t *)field);
		break;
	case FIELD_INT64:
		write_name_and_labels(series);
		text_printf(series->text, "%" PRId64 "\n", *(const int64_t *)field);
		break;
	case FIELD_DOUBLE:
		write_double(series, *(const double *)field);
		break;
	}
}

/* All points of the metric for one record, under the labels pushed so far. */
static void write_record(const struct series *series, const void *record)
{
	const struct metric *metric = series->metric;

	for (size_t i = 0; i < metric->point_count; i++) {
		const struct metric_point *point = &metric->points[i];
		struct series one = *series;

		if (metric->label)
			push_label(&one, metric->label, point->label_value,
				   strlen(point->label_value));
		write_field(&one, record, point);
	}
}

static void write_losses(const struct series *series, const struct answer_loss *losses,
			 size_t loss_count)
{
	for (size_t i = 0; i < loss_count; i++) {
		struct series one = *series;

		push_label(&one, "reason", losses[i].name, strlen(losses[i].name));
		write_uint64(&one, losses[i].count);
	}
}

/* Labels for one process; digits must live as long as the result. */
static struct series of_process(const struct series *series, pid_t pid, const char comm[16],
				char digits[16])
{
	struct series one = *series;

	snprintf(digits, 16, "%d", (int)pid);
	push_label(&one, "pid", digits, strlen(digits));
	push_label(&one, "comm", comm, strnlen(comm, 16));
	return one;
}

static void write_build(const struct series *series, const struct answer_metrics *metrics)
{
	struct series one = *series;

	push_label(&one, "version", metrics->status.version, strlen(metrics->status.version));
	write_uint64(&one, 1);
}

static void write_maps(const struct series *series, const struct answer_status *status)
{
	for (size_t i = 0; i < status->map_count; i++) {
		struct series one = *series;

		push_label(&one, "map", status->maps[i].name, strlen(status->maps[i].name));
		write_record(&one, &status->maps[i]);
	}
}

static void write_processes(const struct series *series, const struct answer_processes *processes)
{
	for (size_t i = 0; i < processes->process_count; i++) {
		const struct answer_process *process = &processes->processes[i];
		char digits[16];
		struct series one = of_process(series, process->pid, process->comm, digits);

		write_record(&one, process);
	}
}

static void write_targets(const struct series *series, const struct answer_targets *targets)
{
	for (size_t i = 0; i < targets->target_count; i++) {
		const struct answer_target *target = &targets->targets[i];
		char digits[16];
		struct series one = of_process(series, target->pid, target->comm, digits);

		if (series->metric->scope == SCOPE_TARGET_LOSS)
			write_losses(&one, target->losses, target->loss_count);
		else
			write_record(&one, target);
	}
}

static void write_series(const struct series *series, const struct answer_metrics *metrics)
{
	switch (series->metric->scope) {
	case SCOPE_BUILD:
		write_build(series, metrics);
		break;
	case SCOPE_DAEMON:
		write_record(series, metrics);
		break;
	case SCOPE_MAP:
		write_maps(series, &metrics->status);
		break;
	case SCOPE_LOSS:
		write_losses(series, metrics->status.losses, metrics->status.loss_count);
		break;
	case SCOPE_PROCESS:
		write_processes(series, &metrics->processes);
		break;
	case SCOPE_TARGET:
	case SCOPE_TARGET_LOSS:
		write_targets(series, &metrics->targets);
		break;
	}
}

/* OpenMetrics names the family, which lacks the _total that its counters' series end in. */
static void write_description(struct text *text, enum prometheus_format format,
			      const struct metric *metric)
{
	size_t length = strlen(metric->name);

	if (format == PROMETHEUS_OPENMETRICS && metric->type == METRIC_COUNTER)
		length -= strlen("_total");
	text_printf(text, "# HELP %.*s %s\n", (int)length, metric->name, metric->help);
	text_printf(text, "# TYPE %.*s %s\n", (int)length, metric->name,
		    metric->type == METRIC_COUNTER ? "counter" : "gauge");
}

void prometheus_write(struct text *text, enum prometheus_format format,
		      const struct answer_metrics *metrics)
{
	for (size_t i = 0; i < prometheus_table_length; i++) {
		struct series series = {.text = text, .metric = &prometheus_table[i]};

		write_description(text, format, series.metric);
		write_series(&series, metrics);
	}
	if (format == PROMETHEUS_OPENMETRICS)
		text_append_string(text, "# EOF\n");
}
