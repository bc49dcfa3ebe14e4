/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Equal strings kept once, for as long as the pool lives. Not locked: the module cache that owns a
 * pool serialises its use.
 */
#ifndef MEMWATCH_SYMBOL_STRING_POOL_H
#define MEMWATCH_SYMBOL_STRING_POOL_H

#include <stddef.h>

struct string_pool_chunk;

struct string_pool {
	struct string_pool_chunk *chunks; /* newest first; holds the text */
	const char **slots;               /* open addressing; NULL: free */
	size_t slot_count;                /* a power of two, or 0 */
	size_t string_count;
	size_t bytes; /* held now: text and slots */
	size_t bytes_max;
};

void string_pool_init(struct string_pool *pool, size_t bytes_max);
void string_pool_destroy(struct string_pool *pool);

/* The pool's copy of a string; NULL when the pool is full or memory has run out. */
const char *string_pool_intern(struct string_pool *pool, const char *string);

#endif
