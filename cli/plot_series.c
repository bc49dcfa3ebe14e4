/* SPDX-License-Identifier: Apache-2.0 */
#include "plot_series.h"

#include "text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The largest RSS of each process; index as in the recording. To free. */
static double *find_peaks(const struct recording *recording)
{
	double *peaks = calloc(recording->process_count + 1, sizeof(*peaks));

	if (!peaks)
		text_fail_out_of_memory();
	for (size_t i = 0; i < recording->value_count; i++) {
		const struct recording_value *value = &recording->values[i];
		const struct recording_process *process = recording_process(recording, value->id);
		size_t index = process ? (size_t)(process - recording->processes) : 0;

		if (process && value->rss_bytes > peaks[index])
			peaks[index] = value->rss_bytes;
	}
	return peaks;
}

static bool is_chosen(const struct plot_series *series, const struct recording_process *process)
{
	for (size_t i = 0; i < series->layer_count; i++) {
		if (series->layers[i] == process)
			return true;
	}
	return false;
}

static int compare_births(const void *a, const void *b)
{
	const struct recording_process *const *left = a, *const *right = b;

	return (*left)->id < (*right)->id ? -1 : (*left)->id > (*right)->id;
}

static void choose_layers(struct plot_series *series, const struct recording *recording)
{
	double *peaks = find_peaks(recording);

	while (series->layer_count < PLOT_LAYERS_MAX &&
	       series->layer_count < recording->process_count) {
		const struct recording_process *best = NULL;
		double best_bytes = -1;

		for (size_t i = 0; i < recording->process_count; i++) {
			if (peaks[i] > best_bytes && !is_chosen(series, &recording->processes[i])) {
				best = &recording->processes[i];
				best_bytes = peaks[i];
			}
		}
		series->layers[series->layer_count++] = best;
	}
	qsort(series->layers, series->layer_count, sizeof(series->layers[0]), compare_births);
	series->other_count = recording->process_count - series->layer_count;
	free(peaks);
}

static void raise_peak(struct plot_peak *peak, double seconds, double bytes)
{
	if (!isnan(bytes) && (isnan(peak->bytes) || bytes > peak->bytes))
		*peak = (struct plot_peak){.seconds = seconds, .bytes = bytes};
}

void plot_series_make(struct plot_series *series, const struct recording *recording)
{
	*series = (struct plot_series){.rss = {.bytes = NAN}, .outstanding = {.bytes = NAN}};
	choose_layers(series, recording);
	for (size_t i = 0; i < recording->sample_count; i++) {
		const struct recording_sample *sample = &recording->samples[i];

		raise_peak(&series->rss, sample->seconds, recording_sample_rss(recording, sample));
		raise_peak(&series->outstanding, sample->seconds,
			   recording_sample_outstanding(recording, sample));
		series->seconds = sample->seconds;
		series->missed += sample->missed;
	}
	series->has_allocated = !isnan(series->outstanding.bytes);
}

void plot_series_layers(const struct plot_series *series, const struct recording *recording,
			const struct recording_sample *sample, double *bytes)
{
	memset(bytes, 0, (series->layer_count + 1) * sizeof(*bytes));
	for (size_t i = 0; i < sample->value_count; i++) {
		const struct recording_value *value = &recording->values[sample->first_value + i];
		size_t layer = 0;

		while (layer < series->layer_count && series->layers[layer]->id != value->id)
			layer++;
		if (!isnan(value->rss_bytes))
			bytes[layer] += value->rss_bytes;
	}
}
