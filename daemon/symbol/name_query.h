/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames whose names are looked up together, taken apart into steps that are over soon: first the
 * functions of all of them, then the rest, which may take seconds for one file's debug information.
 * Small files come before large ones, and within a file its units are read one after the other.
 */
#ifndef MEMWATCH_SYMBOL_NAME_QUERY_H
#define MEMWATCH_SYMBOL_NAME_QUERY_H

#include "symbol/name_set.h"

enum name_round { NAME_ROUND_FUNCTIONS, NAME_ROUND_REST };

struct name_query {
	struct name_set set;
	/* Once it is planned: what is still to be found, and how far that has got. */
	struct named_frame **order;
	size_t order_count, next;
	enum name_round round;
	size_t left; /* frames that have not been through the last round */
	/* Of the namer that it is given to. */
	struct name_query *following;
};

#define NAME_STEP_FRAMES_MAX 256

/* Frames of one module. */
struct name_step {
	struct name_query *query;
	struct module *module;
	enum name_round round;
	size_t count;
	struct named_frame *frames[NAME_STEP_FRAMES_MAX]; /* of the query */
	uint64_t file_offsets[NAME_STEP_FRAMES_MAX];
};

/* NULL when out of memory. */
struct name_query *name_query_new(void);
/* NULL is fine. */
void name_query_free(struct name_query *query);
/* The module must live as long as the query. 0, -EEXIST or -ENOMEM; not once it is planned. */
int name_query_add(struct name_query *query, struct module *module, uint64_t file_offset);
/* NULL: it was not added. Borrowed, as the names in it are. */
const struct named_frame *name_query_find(const struct name_query *query,
					  const struct module *module, uint64_t file_offset);

/* Puts those in order that are not complete. 0 or -ENOMEM. */
int name_query_plan(struct name_query *query);
/* The next step; false when there is none. */
bool name_query_take_step(struct name_query *query, struct name_step *step);
/* It has been done. */
void name_query_end_step(struct name_query *query, const struct name_step *step);

#endif
