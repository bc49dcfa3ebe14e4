/* SPDX-License-Identifier: Apache-2.0 */
/* Strings of a Python process (str objects) as UTF-8. All that is read is hostile. */
#ifndef MEMWATCH_PYTHON_CODE_TEXT_H
#define MEMWATCH_PYTHON_CODE_TEXT_H

#include "python/layout.h"
#include "python/memory.h"

/* The kernel bounds paths to 4,096 bytes; names that programs make up are shorter still. */
#define CODE_TEXT_CHARACTERS_MAX 16384

/*
 * Copies the str at an address. Returns 0 and *text, to be freed. What is no text (lone surrogates,
 * as file names that aren't UTF-8 have) and the null character are escaped as Python's repr does.
 * -EINVAL: it is no str that we know, -E2BIG: longer than CODE_TEXT_CHARACTERS_MAX, -EFAULT,
 * -ENOMEM.
 */
int code_text_read(const struct python_layout *layout, const struct python_memory *memory,
		   uint64_t address, char **text);

#endif
