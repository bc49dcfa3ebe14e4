/* SPDX-License-Identifier: Apache-2.0 */
/* gnuplot, run without a shell. */
#ifndef MEMWATCH_CLI_GNUPLOT_H
#define MEMWATCH_CLI_GNUPLOT_H

/*
 * Runs the script that a descriptor has from its start, and lets it write to another. 0, or -1: why
 * not was said on stderr.
 */
int gnuplot_run(int script_fd, int output_fd);

#endif
