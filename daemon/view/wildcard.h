/* SPDX-License-Identifier: Apache-2.0 */
/* Patterns for names of files. */
#ifndef MEMWATCH_VIEW_WILDCARD_H
#define MEMWATCH_VIEW_WILDCARD_H

#include <stdbool.h>

/*
 * '*' stands for any text, slashes too, '?' for any one byte. Both come from outside: it takes no
 * more than length times length, where fnmatch() is exponential in the stars.
 */
bool wildcard_matches(const char *pattern, const char *text);
/* A path, or what follows its last slash where the pattern has none: "train.py" is any of them. */
bool wildcard_matches_path(const char *pattern, const char *path);

#endif
