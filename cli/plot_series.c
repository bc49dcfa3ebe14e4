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

/* The largest of those that are not chosen yet; there is one. */
static size_t find_largest(const double *peaks, const bool *is_chosen, size_t count)
{
	size_t best = count;

	for (size_t i = 0; i < count; i++) {
		if (!is_chosen[i] && (best == count || peaks[i] > peaks[best]))
			best = i;
	}
	return best;
}

static void choose_layers(struct plot_series *series, const struct recording *recording)
{
	size_t count = recording->process_count;
	bool *is_chosen = calloc(count + 1, sizeof(*is_chosen));
	double *peaks = find_peaks(recording);

	if (!is_chosen)
		text_fail_out_of_memory();
	for (size_t i = 0; i < count && i < PLOT_LAYERS_MAX; i++)
		is_chosen[find_largest(peaks, is_chosen, count)] = true;
	for (size_t i = 0; i < count; i++) {
		if (is_chosen[i])
			series->layers[series->layer_count++] = &recording->processes[i];
	}
	series->other_count = count - series->layer_count;
	free(is_chosen);
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
