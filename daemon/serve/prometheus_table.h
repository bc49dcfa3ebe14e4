/* SPDX-License-Identifier: Apache-2.0 */
/* What each metric is and which field of answer_metrics it shows. */
#ifndef MEMWATCH_SERVE_PROMETHEUS_TABLE_H
#define MEMWATCH_SERVE_PROMETHEUS_TABLE_H

#include <stddef.h>

/* What a metric has one series of, or one set of series. */
enum metric_scope {
	SCOPE_BUILD,       /* once, by version; the value is 1 */
	SCOPE_DAEMON,      /* once; offsets are in struct answer_metrics */
	SCOPE_MAP,         /* by map; offsets are in struct answer_map */
	SCOPE_LOSS,        /* by reason */
	SCOPE_PROCESS,     /* by pid and comm; offsets are in struct answer_process */
	SCOPE_TARGET,      /* by pid and comm; offsets are in struct answer_target */
	SCOPE_TARGET_LOSS, /* by pid, comm and reason */
};

enum metric_type { METRIC_GAUGE, METRIC_COUNTER };

enum field_type { FIELD_UINT64, FIELD_INT64, FIELD_DOUBLE };

struct metric_point {
	enum field_type type;
	size_t offset;
	const char *label_value; /* NULL where the metric has no label of its own, and behind the
				    last */
};

#define METRIC_POINTS_MAX 4

struct metric {
	const char *name; /* with its _total */
	enum metric_type type;
	enum metric_scope scope;
	const char *help;  /* no backslash, no newline */
	const char *label; /* NULL: no label beyond those of the scope */
	/* A negative double is a value that is not known: it has no series. */
	size_t point_count;
	struct metric_point points[METRIC_POINTS_MAX];
};

extern const struct metric prometheus_table[];
extern const size_t prometheus_table_length;

#endif
