/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers for people, and from them. Sizes are in binary units, with three digits that matter. */
#ifndef MEMWATCH_CLI_NUMBER_H
#define MEMWATCH_CLI_NUMBER_H

#include <stdint.h>

/* Returned by value, so that it can be used right in a printf. */
struct number_text {
	char text[40];
};

struct number_text number_bytes(double bytes);           /* "117 MiB", "1.50 KiB", "12 B" */
struct number_text number_rate(double bytes_per_second); /* "+20.0 MiB/s", "-3 B/s" */
struct number_text number_change(double bytes);          /* "+20.0 MiB", "-3 B" */
struct number_text number_count(double count);           /* "1,234,567" */
struct number_text number_seconds(double seconds);       /* "2.5 s", "12 min 5 s", "3 d 4 h" */
struct number_text number_share(double share);           /* 0.012 is "1.2%" */

/* All return 0, -EINVAL for text that is not such a number, -ERANGE outside of what is allowed. */
int number_parse_count(const char *text, uint64_t minimum, uint64_t maximum, uint64_t *count);
int number_parse_seconds(const char *text, double maximum, double *seconds);
/* As in the configuration file: 4096, 64KiB, 1M, 2GB: powers of 1024 all of them. */
int number_parse_bytes(const char *text, uint64_t minimum, uint64_t maximum, uint64_t *bytes);

#endif
