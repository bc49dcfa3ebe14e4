/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a USDT probe's note says of its arguments: text as the compiler's assembler operands are
 * written (AT&T), each with its size and sign in front: "8@%rdi -4@-12(%rbp) 8@$16". Parsed into
 * what the probe program evaluates. Hostile input.
 */
#ifndef MEMWATCH_PROBE_USDT_ARGUMENT_H
#define MEMWATCH_PROBE_USDT_ARGUMENT_H

#include "record.h"

/*
 * Parses the first count arguments (at most RECORD_USDT_ARGUMENTS_MAX); those beyond are passed
 * over. 0, or -EINVAL with *reason: static, continues the sentence "it cannot be used: ...".
 */
int usdt_arguments_parse(const char *text, unsigned count, struct record_usdt_arguments *arguments,
			 const char **reason);

#endif
