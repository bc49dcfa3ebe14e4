/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The body of an answer while it is written: a buffer that grows up to a bound. The first failure
 * sticks and later writes do nothing, so that writers check once, at the end.
 */
#ifndef MEMWATCH_SERVE_TEXT_H
#define MEMWATCH_SERVE_TEXT_H

#include <stddef.h>

struct text {
	char *data; /* not terminated; NULL while empty */
	size_t length;
	size_t capacity;
	size_t max_bytes;
	int error; /* 0, -ENOMEM, or -EMSGSIZE: it would exceed max_bytes */
};

void text_init(struct text *text, size_t max_bytes);
void text_free(struct text *text);

void text_append(struct text *text, const char *bytes, size_t length);
void text_append_string(struct text *text, const char *string);
__attribute__((format(printf, 2, 3))) void text_printf(struct text *text, const char *format, ...);

/* By ASCII character: what stands for it, or NULL where it stands for itself. */
#define TEXT_ESCAPES_LENGTH 128

/*
 * Appends bytes that nobody vouches for as valid UTF-8: characters with an escape are replaced by
 * it, and each byte that is part of no valid sequence by U+FFFD.
 */
void text_append_escaped(struct text *text, const char *bytes, size_t length,
			 const char *const escapes[TEXT_ESCAPES_LENGTH]);

#endif
