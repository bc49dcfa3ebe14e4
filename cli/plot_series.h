/* SPDX-License-Identifier: Apache-2.0 */
/* What a plot of a recording has layers for: the largest processes, and one for all others. */
#ifndef MEMWATCH_CLI_PLOT_SERIES_H
#define MEMWATCH_CLI_PLOT_SERIES_H

#include "recording.h"

/* More colours can't be told apart. */
#define PLOT_LAYERS_MAX 10

struct plot_peak {
	double seconds, bytes; /* bytes NAN: there is none */
};

struct plot_series {
	const struct recording_process *layers[PLOT_LAYERS_MAX]; /* borrowed; in order of birth */
	size_t layer_count;
	size_t other_count; /* processes in the layer above them; 0: there is none */
	struct plot_peak rss, outstanding;
	bool has_allocated; /* anything is known of what is outstanding */
	double seconds;     /* of the last sample */
	uint64_t missed;
};

void plot_series_make(struct plot_series *series, const struct recording *recording);
/* RSS of each layer in a sample, and of the others last: layer_count + 1 numbers. */
void plot_series_layers(const struct plot_series *series, const struct recording *recording,
			const struct recording_sample *sample, double *bytes);

#endif
