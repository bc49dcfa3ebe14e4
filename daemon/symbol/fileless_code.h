/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a process has code that lies in no file, as JIT compilers make it. Pure.
 *
 * JIT compilers reserve a range and make pages of it code as they go, and some make pages that hold
 * code writable, and then not executable, for as long as they write. So what lies next to code and
 * can't be read or written is taken for code to come, and what was code stays code for as long as
 * it is mapped.
 */
#ifndef MEMWATCH_SYMBOL_FILELESS_CODE_H
#define MEMWATCH_SYMBOL_FILELESS_CODE_H

#include "symbol/address_space.h"
#include "symbol/code_ranges.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FILELESS_CODE_RANGES_MAX 256

struct fileless_code {
	struct fileless_range {
		uint64_t start;
		uint64_t end;               /* exclusive */
	} ranges[FILELESS_CODE_RANGES_MAX]; /* sorted, once it is complete */
	size_t count;
	uint64_t reserved_start, reserved_end; /* before what comes next; end 0: nothing is */
};

/* To be called with each mapping of a process's that has no file, by address. */
void fileless_code_add(struct fileless_code *code, const struct address_range *range);

/*
 * Then once, with what there was before, all that is mapped now, and the code in files, both
 * sorted.
 */
void fileless_code_complete(struct fileless_code *code, const struct fileless_code *before,
			    const struct mapped_spans *mapped, const struct code_ranges *in_files);

bool fileless_code_has(const struct fileless_code *code, uint64_t address);

#endif
