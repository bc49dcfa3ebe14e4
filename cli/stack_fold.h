/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where stacks repeat: one after the other in their outermost frames, and each in itself, by
 * recursion. Frames are the same when the answer says the same of both, in every field.
 */
#ifndef MEMWATCH_CLI_STACK_FOLD_H
#define MEMWATCH_CLI_STACK_FOLD_H

#include <cjson/cJSON.h>
#include <stddef.h>

/* What saves fewer lines than this is not left out: looking elsewhere costs the reader more. */
#define STACK_FOLD_SAVED_MIN 2

/* The stacks that have been shown, of one answer, which is borrowed. */
struct stack_fold;

/* To free. */
struct stack_fold *stack_fold_new(void);
void stack_fold_free(struct stack_fold *fold);

/* The outermost frames of a stack, all of which an earlier site has, as its outermost too. */
struct stack_shared {
	size_t frames; /* 0: none */
	size_t site;   /* its number; it shows the innermost of these frames itself */
};

/*
 * Adds a site, which is shown next: holds "stack" and "stack_end". number: above 0, and above those
 * of the sites before it. What it shares with them, only with those that end in the same way; never
 * its innermost function.
 */
struct stack_shared stack_fold_add(struct stack_fold *fold, const cJSON *site, size_t number);

/* The first frames of a stack, and how many times more the same ones follow. */
struct stack_repeat {
	size_t length; /* 1 where nothing is repeated */
	size_t times;  /* 0: not worth a word */
};

/* count: of frames; at least 1. */
struct stack_repeat stack_repeat_at(const cJSON *const *frames, size_t count);

#endif
