/* SPDX-License-Identifier: Apache-2.0 */
/* What an interpreter states of its own structures, from 3.13 on, at the start of _PyRuntime. */
#ifndef MEMWATCH_PYTHON_DEBUG_OFFSETS_H
#define MEMWATCH_PYTHON_DEBUG_OFFSETS_H

#include "python/layout.h"

#include <stddef.h>

#define DEBUG_OFFSETS_BYTES 768 /* of the largest _Py_DebugOffsets known, rounded up */

/*
 * Puts what is stated into a layout, which is the table of its version before: what isn't stated
 * stays. version_word is that of Py_Version. Returns 0; -ENOTSUP: a build without the GIL;
 * -EPROTO: they are none, of another version, or out of bounds; the layout is then unchanged and
 * *reason says which, in words.
 */
int debug_offsets_apply(const uint8_t bytes[static DEBUG_OFFSETS_BYTES], uint32_t version_word,
			struct python_layout *layout, const char **reason);

#endif
