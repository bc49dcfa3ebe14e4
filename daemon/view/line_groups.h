/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sites summed up by what a Python programmer asks for: line, file, function, traceback or module.
 * Pure: sites in, groups out; memwatchctl groups snapshots with it as well.
 *
 * A site is its group's own by its innermost Python frame; it counts as cumulative for every frame
 * that it has, once for each group, so that recursion doesn't count twice.
 */
#ifndef MEMWATCH_VIEW_LINE_GROUPS_H
#define MEMWATCH_VIEW_LINE_GROUPS_H

#include "view/answer.h"

/* More groups than these are not told apart: their sites are left out, and counted as such. */
#define LINE_GROUPS_MAX 50000

enum line_group_by {
	LINE_BY_LINE, /* of a file, and the function */
	LINE_BY_FILE,
	LINE_BY_FUNCTION,  /* of a file */
	LINE_BY_TRACEBACK, /* all Python frames of the stack */
	LINE_BY_MODULE, /* the ELF file of the innermost frame; Python's own for a Python frame */
};

enum line_sort {
	LINE_SORT_OUTSTANDING,
	LINE_SORT_CUMULATIVE, /* outstanding */
	LINE_SORT_ALLOCATED,
	LINE_SORT_OBJECTS, /* outstanding */
	LINE_SORT_PEAK,
};

/* "line", "file" and so on, in the order of the enumerations; end in NULL. */
extern const char *const line_group_by_names[];
extern const char *const line_sort_names[];

struct line_sum {
	int64_t outstanding_bytes;
	double outstanding_bytes_stderr;
	double outstanding_objects;
	int64_t python_arena_bytes; /* of the outstanding ones; see answer_site.is_python_arena */
	uint64_t allocated_bytes, freed_bytes;
	double allocated_objects, freed_objects;
	int64_t rss_growth_bytes;
	/* The most that was outstanding at the moments of which it is known; at least what it is
	 * now. */
	int64_t peak_bytes;
	/* From which the standard error is made. */
	double variance;
	bool is_estimated;
};

enum line_kind {
	LINE_PYTHON,
	LINE_NATIVE, /* of a stack without Python frame; of modules, any that is an ELF file */
};

struct line_group {
	enum line_kind kind;
	/* Names it, as far as the grouping says: of a traceback the innermost one. */
	const struct answer_frame *frame;
	/* A stack that has it; its frames of this kind are the traceback. */
	const struct answer_frame *frames;
	size_t frame_count;
	struct line_sum own, cumulative;
	/* For use inside. */
	uint64_t hash;
	size_t moments;
	size_t last_site;
};

struct line_groups_options {
	enum line_group_by group_by;
	bool has_native_groups; /* stacks without Python frame are grouped by native ones */
	/*
	 * Only frames of such a file (wildcard_matches_path) and function (co_name or qualified
	 * name) are grouped; of tracebacks and modules, stacks whose innermost Python frame is one.
	 * NULL: all.
	 */
	const char *file, *function;
	uint64_t sampling_interval_bytes; /* of the sites' standard errors; 0 or 1: none */
	size_t moment_count;              /* of each site's moments_bytes */
};

struct line_groups;

/* The options are copied, their strings borrowed. NULL when out of memory. */
struct line_groups *line_groups_new(const struct line_groups_options *options);
void line_groups_free(struct line_groups *groups); /* NULL is fine */

/* 0 or -ENOMEM. The site's frames are borrowed until the groups are freed. */
int line_groups_add(struct line_groups *groups, const struct answer_site *site);

/* Once all are added: works out peaks and errors, and sorts, largest first. */
void line_groups_finish(struct line_groups *groups, enum line_sort sort);

/* As finished. */
const struct line_group *line_groups_list(const struct line_groups *groups, size_t *count);
/* The group of the same name as one of others, grouped in the same way. NULL: there is none. */
const struct line_group *line_groups_find(const struct line_groups *groups,
					  const struct line_group *like);

/* Own sums of all groups and the next three are together the total. */
const struct line_sum *line_groups_total(const struct line_groups *groups);
/* Of stacks that have frames, but no Python frame; without has_native_groups. */
const struct line_sum *line_groups_native(const struct line_groups *groups);
/* Of stacks that are not known. */
const struct line_sum *line_groups_unknown(const struct line_groups *groups);
/* Of stacks that the filter left out, or for whose group there was no room. */
const struct line_sum *line_groups_left_out(const struct line_groups *groups);
bool line_groups_is_full(const struct line_groups *groups);

/* On top of what *sum holds; peaks stay as they are. Call line_sum_finish() after the last one. */
void line_sum_add(struct line_sum *sum, const struct line_sum *more);
/* Works out the standard error of a sum of samples taken at this interval. */
void line_sum_finish(struct line_sum *sum, uint64_t sampling_interval_bytes);

bool line_frame_is_python(const struct answer_frame *frame);
/* What a Python frame's function is called best: its qualified name, if it has one. */
const char *line_frame_function(const struct answer_frame *frame);

#endif
