/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A recording as a script for gnuplot: all of it, data too, so that no file is named in it and the
 * picture comes on gnuplot's standard output. Names are quoted: whatever a process is called, it is
 * text in the picture.
 */
#ifndef MEMWATCH_CLI_PLOT_SCRIPT_H
#define MEMWATCH_CLI_PLOT_SCRIPT_H

#include "recording.h"

enum plot_kind { PLOT_SVG, PLOT_PNG };

/* The recording has one sample with a known RSS at least. */
void plot_script_write(FILE *stream, const struct recording *recording, enum plot_kind kind);
/* Text as gnuplot's single-quoted strings want it, with the quotes. */
void plot_script_quote(FILE *stream, const char *text);

#endif
