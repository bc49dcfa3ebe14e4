/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One site as the daemon knows it: the probes' counters, its mappings (which are accounted here
 * rather than in the kernel), its stack and how its numbers went over time.
 */
#ifndef MEMWATCH_ACCOUNT_SITE_H
#define MEMWATCH_ACCOUNT_SITE_H

#include "account/stack.h"
#include "account/verdict.h"
#include "record.h"

/* Points kept of a site's history; older ones are thinned out, so that they lie ever wider apart.
 */
#define SITE_POINTS_MAX 32

#define SITE_NUMBER_NONE UINT32_MAX

struct site_point {
	int64_t outstanding_bytes;
	uint64_t allocated_bytes;
	uint64_t freed_bytes;
};

struct site {
	uint32_t number;              /* in the kernel's table; NONE once the account has ended */
	struct stack *stack;          /* NULL: not known (yet), or the overflow site */
	struct record_site blocks;    /* the probes' counters as last read */
	struct record_site *mappings; /* the same of mappings, kept by the daemon; NULL: none */
	/* Of its mappings: whether there were some like arenas of Python's, and others. */
	bool has_arenas, has_other_mappings;
	struct site_point points[SITE_POINTS_MAX]; /* at the account's point times */

	/* At the account's looks, see account_look(). */
	int64_t looked_bytes;  /* outstanding at the last one */
	int64_t peak_bytes;    /* the most */
	int64_t at_peak_bytes; /* when the whole account had its most */
};

/* Blocks and mappings together. */
struct site_numbers {
	int64_t outstanding_bytes;
	double outstanding_objects;
	double outstanding_variance; /* bytes^2 */
	uint64_t allocated_bytes, freed_bytes;
	double allocated_objects, freed_objects;
	struct record_rss rss; /* of a stack by which resident memory changed */
};

void site_read_numbers(const struct site *site, struct site_numbers *numbers);
/* The same on top of what *numbers holds. */
void site_add_numbers(const struct site *site, struct site_numbers *numbers);
/* Bytes outstanding of what was born in a generation (must be one of the last RECORD_GENERATIONS).
 */
int64_t site_generation_bytes(const struct site *site, uint32_t generation);
/* Whether it ever made anything: the trace of an inner call, whose block went to the outer, didn't.
 */
bool site_is_used(const struct site *site);
/* Whether resident memory has changed by it. Such a stack ends where memory is touched or given
 * back: it is no site of blocks. */
bool site_has_rss(const struct site *site);
bool rss_is_changed(const struct record_rss *rss);
/* Of all kinds together. */
uint64_t rss_grown_bytes(const struct record_rss *rss);
uint64_t rss_shrunk_bytes(const struct record_rss *rss);
int64_t rss_growth_bytes(const struct record_rss *rss);
/* Whether the site makes mappings and no blocks. */
bool site_is_mapping(const struct site *site);
/* Whether all that it makes are arenas of a Python interpreter's, as far as can be seen from
 * outside: see account/python_arena.h. Not, where its stack or the interpreter isn't known. */
bool site_is_python_arena(const struct site *site);

/* Mappings of the site came (bytes > 0) or went; current is the newest generation. */
/* Returns 0 or -ENOMEM. */
int site_change_mappings(struct site *site, uint32_t generation, int64_t bytes, int objects);

void site_free(struct site *site);

#endif
