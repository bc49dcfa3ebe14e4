/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What memwatchctl adds to an answer about lines before it is shown, as text or as JSON: how much
 * each grew while it was observed, and the source text, which the daemon doesn't read.
 */
#ifndef MEMWATCH_CLI_LINE_ANSWER_H
#define MEMWATCH_CLI_LINE_ANSWER_H

#include <cjson/cJSON.h>
#include <stddef.h>

/* "increment_bytes" of each line and its "cumulative": as against an earlier answer. */
void line_answer_add_increments(cJSON *answer, const cJSON *before);

/* Sorts the lines anew, the largest increment first. */
void line_answer_sort_by_increment(cJSON *answer);

/* Takes out lines beyond the first so many (0: none); "left_out" has them from then on. */
void line_answer_cut(cJSON *answer, size_t top);

/*
 * "source" of each line, where its file can be read; then also "source_newer", true of a file that
 * has changed since the process started. Else "source_problem" says why not, if there is a file.
 */
void line_answer_add_sources(cJSON *answer);

#endif
