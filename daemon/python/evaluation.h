/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the evaluation function's code is in a file. Compilers put the parts of it that they take
 * for rare elsewhere (_PyEval_EvalFrameDefault.cold; in some builds that is nearly all of it), and
 * stripped files have no symbol for them: call frame information tells functions and their parts
 * apart, and only a part of the function jumps into the midst of it.
 */
#ifndef MEMWATCH_PYTHON_EVALUATION_H
#define MEMWATCH_PYTHON_EVALUATION_H

#include <stddef.h>
#include <stdint.h>

#define EVALUATION_PARTS_MAX 4

struct evaluation_part {
	uint64_t start, end; /* as linked */
};

/*
 * Fills in the parts of the function at an address, the one of its entry first; returns how many, 1
 * or more. Of a file without call frame information there is the one that the symbol states.
 */
size_t evaluation_parts_find(int fd, uint64_t function, uint64_t function_bytes,
			     struct evaluation_part parts[static EVALUATION_PARTS_MAX]);

#endif
