/* SPDX-License-Identifier: Apache-2.0 */
#include "plot_script.h"

#include "number.h"
#include "plot_series.h"
#include "text.h"

#include <math.h>
#include <stdlib.h>

#define TITLE_COLUMNS_MAX 48
/* Room above the peak for what is written there. */
#define HEADROOM 1.2

/* Told apart by people who don't see all colours (Paul Tol's muted scheme and grey). */
static const char *const layer_colours[PLOT_LAYERS_MAX + 1] = {
	"#88ccee", "#44aa99", "#ddcc77", "#cc6677", "#117733", "#aa4499",
	"#999933", "#332288", "#882255", "#6699cc", "#bbbbbb",
};

struct unit {
	double size;
	const char *name;
};

/* The largest in which the number is 1 at least. Ends in size 1. */
static struct unit choose_unit(const struct unit *units, double number)
{
	while (units->size > 1 && number < units->size)
		units++;
	return *units;
}

static struct unit bytes_unit(double bytes)
{
	static const struct unit units[] = {
		{0x1p40, "TiB"}, {0x1p30, "GiB"}, {0x1p20, "MiB"}, {0x1p10, "KiB"}, {1, "bytes"}};

	return choose_unit(units, bytes);
}

/* Twice as long, so that there is more than one tic. */
static struct unit seconds_unit(double seconds)
{
	static const struct unit units[] = {
		{86400, "days"}, {3600, "hours"}, {60, "minutes"}, {1, "seconds"}};

	return choose_unit(units, seconds / 2);
}

/*
 * Within single quotes gnuplot knows nothing but their end. Two of them should stand for one, but
 * at the start of a string they end it: so there is none in it. To free.
 */
static char *without_quotes(const char *text)
{
	char *written;
	size_t bytes;
	FILE *stream = open_memstream(&written, &bytes);

	if (!stream)
		text_fail_out_of_memory();
	for (const char *at = text; *at; at++) {
		/* gnuplot leaves ">" as it is, and "]]>" is no text in XML. */
		if (*at == '>' && at - text >= 2 && at[-1] == ']' && at[-2] == ']')
			fputc(' ', stream);
		if (*at == '\'')
			fputs(text_is_utf8() ? "\u2019" : "\\x27", stream);
		else
			fputc(*at, stream);
	}
	if (fclose(stream))
		text_fail_out_of_memory();
	return written;
}

void plot_script_quote(FILE *stream, const char *text)
{
	char *safe = text_escape(text), *inner = without_quotes(safe);
	char *cut = text_cut_end(inner, TITLE_COLUMNS_MAX);

	fprintf(stream, "'%s'", cut);
	free(safe);
	free(inner);
	free(cut);
}

static void write_quoted(FILE *stream, const char *before, char *text, const char *after)
{
	fputs(before, stream);
	plot_script_quote(stream, text);
	fputs(after, stream);
	free(text);
}

static void write_number(FILE *stream, double number)
{
	if (isnan(number))
		fputs(" ?", stream);
	else
		fprintf(stream, " %.6g", number);
}

/* Time, then the layers one upon the other, then what is outstanding. */
static void write_data(FILE *stream, const struct recording *recording,
		       const struct plot_series *series, struct unit time, struct unit size)
{
	double layers[PLOT_LAYERS_MAX + 1];

	fputs("$data << END_OF_DATA\n", stream);
	for (size_t i = 0; i < recording->sample_count; i++) {
		const struct recording_sample *sample = &recording->samples[i];
		double sum = 0;

		plot_series_layers(series, recording, sample, layers);
		write_number(stream, sample->seconds / time.size);
		for (size_t layer = 0; layer <= series->layer_count; layer++) {
			sum += layers[layer];
			write_number(stream, sum / size.size);
		}
		write_number(stream, recording_sample_outstanding(recording, sample) / size.size);
		fputc('\n', stream);
	}
	fputs("END_OF_DATA\n", stream);
}

/* number: of the label. It is written to the side where there is room. */
static void write_peak(FILE *stream, int number, const char *what, const struct plot_peak *peak,
		       const struct plot_series *series, struct unit time, struct unit size)
{
	bool is_right = peak->seconds > series->seconds / 2;
	char *before = text_format("set label %d ", number);
	char *after = text_format(
		" at %.6g,%.6g %s offset %d,0.8 front point pointtype 7 pointsize 0.7\n",
		peak->seconds / time.size, peak->bytes / size.size, is_right ? "right" : "left",
		is_right ? -1 : 1);

	write_quoted(stream, before, text_format("%s %s", what, number_bytes(peak->bytes).text),
		     after);
	free(before);
	free(after);
}

static void write_settings(FILE *stream, const struct recording *recording,
			   const struct plot_series *series, struct unit time, struct unit size)
{
	char *missed = series->missed ? text_format(" (%s samples were missed)",
						    number_count((double)series->missed).text)
				      : text_format("%s", "");
	double highest =
		fmax(series->rss.bytes, series->has_allocated ? series->outstanding.bytes : 0);

	/* gnuplot complains where the locale can't have it; names are ASCII there. */
	if (text_is_utf8())
		fputs("set encoding utf8\n", stream);
	fputs("set datafile missing '?'\nset key outside right top noenhanced\n"
	      "set grid\nset border 3\nset tics nomirror out\n",
	      stream);
	write_quoted(
		stream, "set title ",
		text_format("%s (pid %.0f), %s", recording->comm, recording->pid, recording->began),
		" noenhanced\n");
	write_quoted(stream, "set xlabel ", text_format("%s%s", time.name, missed), "\n");
	write_quoted(stream, "set ylabel ", text_format("%s", size.name), "\n");
	fprintf(stream, "set xrange [0:%.6g]\n",
		series->seconds > 0 ? series->seconds / time.size : 1);
	fprintf(stream, "set yrange [0:%.6g]\n", highest > 0 ? highest * HEADROOM / size.size : 1);
	write_peak(stream, 1, "peak RSS", &series->rss, series, time, size);
	if (series->has_allocated)
		write_peak(stream, 2, "peak outstanding", &series->outstanding, series, time, size);
	free(missed);
}

static char *layer_title(const struct plot_series *series, size_t layer)
{
	if (layer == series->layer_count)
		return text_format("RSS of %zu others", series->other_count);
	return text_format("RSS of %s (%.0f)", series->layers[layer]->comm,
			   series->layers[layer]->pid);
}

/* From the highest down, as each lies before those above it. */
static void write_plot(FILE *stream, const struct plot_series *series)
{
	size_t layer = series->layer_count + (series->other_count ? 1 : 0);

	fputs("plot", stream);
	while (layer-- > 0) {
		fprintf(stream,
			"%s \\\n$data using 1:%zu with filledcurves y1=0 fillstyle solid 0.8 "
			"linecolor rgb '%s' ",
			layer + 1 == series->layer_count + (series->other_count ? 1 : 0) ? "" : ",",
			layer + 2,
			layer_colours[layer == series->layer_count ? PLOT_LAYERS_MAX : layer]);
		write_quoted(stream, "title ", layer_title(series, layer), "");
	}
	if (series->has_allocated)
		fprintf(stream,
			", \\\n$data using 1:%zu with lines linewidth 2 linecolor rgb '#000000' "
			"title 'outstanding'",
			series->layer_count + 3);
	fputc('\n', stream);
}

void plot_script_write(FILE *stream, const struct recording *recording, enum plot_kind kind)
{
	struct plot_series series;
	struct unit time, size;

	plot_series_make(&series, recording);
	time = seconds_unit(series.seconds);
	size = bytes_unit(
		fmax(series.rss.bytes, series.has_allocated ? series.outstanding.bytes : 0));
	if (kind == PLOT_SVG)
		fputs("set terminal svg size 1200,600 dynamic font 'sans,14' noenhanced "
		      "background '#ffffff'\n",
		      stream);
	else
		fputs("set terminal pngcairo size 1200,600 font 'sans,11' noenhanced "
		      "background '#ffffff'\n",
		      stream);
	write_data(stream, recording, &series, time, size);
	write_settings(stream, recording, &series, time, size);
	write_plot(stream, &series);
}
