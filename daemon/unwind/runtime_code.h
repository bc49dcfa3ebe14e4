/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runtimes whose code no call frame information describes, neither what they were built with nor
 * what they make at run time, and all of which keeps its frames in one known form. One is known:
 * V8.
 */
#ifndef MEMWATCH_UNWIND_RUNTIME_CODE_H
#define MEMWATCH_UNWIND_RUNTIME_CODE_H

#include <libelf.h>
#include <stdbool.h>

/*
 * A runtime's own functions lie in the module in one piece, of 1 MB or more. Smaller pieces of code
 * without call frame information are somebody's assembly.
 */
#define RUNTIME_CODE_BYTES_MIN (256UL << 10)

/* Whether the module is or holds V8, by the functions that it exports. */
bool runtime_code_is_v8(Elf *elf);

#endif
