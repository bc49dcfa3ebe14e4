/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Python frames in place of those of the interpreter that runs them. What the innermost Python
 * function has called stays, in the interpreter or in an extension; so does what calls an embedded
 * interpreter.
 */
#ifndef MEMWATCH_ACCOUNT_PYTHON_STACK_H
#define MEMWATCH_ACCOUNT_PYTHON_STACK_H

#include "account/stack.h"
#include "python/interpreter.h"

/* Python frames as they are recorded, innermost first. */
struct python_words {
	const uint64_t *words;
	size_t count;
	uint32_t end; /* enum record_python_end */
};

/*
 * Takes over a native stack and returns the merged one; the native one itself where there is
 * nothing to merge, or no memory. The Python frames have no code yet. addresses: the return
 * addresses that the native frames were made of. interpreter: NULL where it isn't known.
 */
struct stack *python_stack_merge(struct stack *native, const uint64_t *addresses,
				 const struct python_words *python,
				 const struct python_interpreter *interpreter);

#endif
