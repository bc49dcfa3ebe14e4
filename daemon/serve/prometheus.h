/* SPDX-License-Identifier: Apache-2.0 */
/* /metrics: one table of metrics, written in either of the two formats that scrapers ask for. */
#ifndef MEMWATCH_SERVE_PROMETHEUS_H
#define MEMWATCH_SERVE_PROMETHEUS_H

#include "serve/text.h"
#include "view/answer.h"

enum prometheus_format {
	PROMETHEUS_TEXT,        /* text format 0.0.4 */
	PROMETHEUS_OPENMETRICS, /* OpenMetrics 1.0 */
};

/* By the Accept header (NULL: none): text, unless OpenMetrics is asked for at least as much. */
enum prometheus_format prometheus_choose_format(const char *accept);
const char *prometheus_content_type(enum prometheus_format format);

void prometheus_write(struct text *text, enum prometheus_format format,
		      const struct answer_metrics *metrics);

#endif
