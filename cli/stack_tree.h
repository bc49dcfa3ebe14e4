/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sites of an answer as one tree: callers above what they call, each with what all its stacks
 * hold. What exports and flame graphs are made of.
 */
#ifndef MEMWATCH_CLI_STACK_TREE_H
#define MEMWATCH_CLI_STACK_TREE_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>

/* What is summed up. */
enum stack_value {
	STACK_VALUE_OUTSTANDING, /* bytes */
	STACK_VALUE_ALLOCATED,   /* bytes */
	STACK_VALUE_OBJECTS,     /* outstanding */
};

/* "outstanding", "allocated", "objects"; ends in NULL. In the order of the enumeration. */
extern const char *const stack_value_names[];
/* "outstanding bytes" and so on. */
const char *stack_value_title(enum stack_value value);
/* Of that name, which is one of them. */
enum stack_value stack_value_find(const char *name);
/* A site's share; never below 0. */
double stack_value_of(const cJSON *site, enum stack_value value);

bool stack_frame_is_python(const cJSON *frame);
/* As the code says it, with the class if it has one; NULL: unknown. Borrowed. */
const char *stack_frame_function(const cJSON *frame);
/*
 * How a frame is called: its function, of Python with file and line, as so many are called
 * __init__; else where it is. Not escaped; to free.
 */
char *stack_frame_name(const cJSON *frame);
/* "[no_table]" of a stack that doesn't begin at a root, NULL of one that does. To free. */
char *stack_beginning_name(const cJSON *site);

struct stack_node {
	char *name;         /* not escaped */
	const cJSON *frame; /* the first with this name here; NULL: the process, or a marker */
	double value;       /* of its stacks together */
	struct stack_node **children; /* largest first */
	size_t child_count;
};

/* name: of the root, which is the process. To free. */
struct stack_node *stack_tree_new(const cJSON *answer, const char *name, enum stack_value value);
void stack_tree_free(struct stack_node *root);

#endif
