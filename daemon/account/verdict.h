/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What we conclude of a site from how its outstanding bytes went. Pure: numbers in, words out.
 */
#ifndef MEMWATCH_ACCOUNT_VERDICT_H
#define MEMWATCH_ACCOUNT_VERDICT_H

#include <stddef.h>
#include <stdint.h>

/* In the order in which reports list them. */
enum verdict {
	VERDICT_LEAK,    /* grows steadily and its blocks don't die */
	VERDICT_GROWING, /* grows, but blocks still die, or it was seen too briefly to say more */
	VERDICT_UNKNOWN, /* too little seen */
	VERDICT_CACHE,   /* blocks turn over, the total is bounded */
	VERDICT_STEADY,  /* rose and stopped, or hardly moves */
};

const char *verdict_name(enum verdict verdict);

/* The site's counters at one moment, in order of time. */
struct verdict_point {
	double time_seconds; /* since the target was first watched */
	int64_t outstanding_bytes;
	uint64_t allocated_bytes; /* since watched */
	uint64_t freed_bytes;
};

/* What is still outstanding of the blocks born in [from, to), in order of time, last one = now. */
struct verdict_generation {
	double from_seconds;
	double to_seconds;
	int64_t outstanding_bytes;
};

struct verdict_evidence {
	const struct verdict_point *points;
	size_t point_count;
	const struct verdict_generation *generations;
	size_t generation_count;
	double now_seconds;              /* same clock as the points */
	double outstanding_stderr_bytes; /* 0: exact */
};

struct verdict_conclusion {
	enum verdict verdict;
	double growth_bytes_per_second; /* of the outstanding bytes over the window; may be negative
					 */
	double oldest_age_seconds;      /* of the oldest block still outstanding (lower bound) */
	char reason[200];               /* one sentence with the numbers it rests on */
};

void verdict_judge(const struct verdict_evidence *evidence, struct verdict_conclusion *conclusion);

#endif
