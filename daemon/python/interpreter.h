/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The CPython interpreter in a process: found by what it exports, believed only once what it says
 * of itself fits what we know of its version.
 */
#ifndef MEMWATCH_PYTHON_INTERPRETER_H
#define MEMWATCH_PYTHON_INTERPRETER_H

#include "python/layout.h"
#include "python/memory.h"
#include "record.h"
#include "symbol/address_space.h"

#include <sys/types.h>

#define PYTHON_REASON_BYTES 200

struct python_interpreter;

/*
 * Looks for an interpreter in what a process has mapped. Returns 0 and *found, to be freed;
 * -ENOENT: there is none; -ENOTSUP: its version isn't known, or it is none that is supported;
 * -EPROTO: what lies in its memory contradicts its version; -EAGAIN: it isn't initialised yet (no
 * thread state); other -errno. In all but the first two cases reason says in words what was seen.
 */
int python_interpreter_find(const struct address_space *space, pid_t pid,
			    const struct python_memory *memory, struct python_interpreter **found,
			    char reason[PYTHON_REASON_BYTES]);
void python_interpreter_free(struct python_interpreter *interpreter);

const struct python_layout *python_interpreter_layout(const struct python_interpreter *interpreter);
/* "3.11.2", as it says itself; lives as long as the interpreter. */
const char *python_interpreter_version(const struct python_interpreter *interpreter);
/* The file that holds its code: the program, or libpython. Borrowed. */
struct module *python_interpreter_module(const struct python_interpreter *interpreter);

/* What the walker in BPF has to know; account is left 0. */
void python_interpreter_record(const struct python_interpreter *interpreter,
			       struct record_python *record);
/* Whether a return address (less one) lies in the evaluation function. */
bool python_interpreter_is_evaluation(const struct python_interpreter *interpreter,
				      uint64_t address);

#endif
