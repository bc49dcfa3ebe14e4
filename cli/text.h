/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text that is safe to print and fits. Names of processes, files and functions are whatever a
 * target chose: they must not move the cursor, hide text or pass for output of ours.
 *
 * All char * results are the caller's to free and never NULL: running out of memory ends the
 * program.
 */
#ifndef MEMWATCH_CLI_TEXT_H
#define MEMWATCH_CLI_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

char *text_format(const char *format, ...) __attribute__((format(printf, 1, 2)));
void text_fail_out_of_memory(void) __attribute__((noreturn));

/* Does the terminal take UTF-8, as far as the locale says? If not, we print ASCII alone. */
bool text_is_utf8(void);
const char *text_plus_minus(void);
const char *text_ellipsis(void);

/*
 * Length of the well-formed UTF-8 sequence at text and its code point; 0 for any other byte
 * (overlong forms, surrogates and cut sequences among them) and at the end.
 */
size_t text_decode(const char *text, uint32_t *code_point);

/*
 * Control characters, bidirectional overrides, invisible ones, malformed bytes, and what the locale
 * cannot print become \n, \t or \xNN. A backslash stays: cgroup paths are full of them, and this is
 * for safe reading, not for reading back (that is what --json is for).
 */
char *text_escape(const char *hostile);

/* Columns on a terminal; text has been escaped. */
size_t text_width(const char *text);
/* At most so many columns, with an ellipsis where something was left out: at the end, or the start.
 */
char *text_cut_end(const char *text, size_t columns);
char *text_cut_start(const char *text, size_t columns);

#endif
