/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Python interpreter of a target: searched for when what the target has mapped changes, until
 * one is found; told to the walker in BPF (bpf/python.h).
 */
#ifndef MEMWATCH_TARGET_PYTHON_H
#define MEMWATCH_TARGET_PYTHON_H

#include "python/interpreter.h"
#include "target/target.h"

/* An interpreter, held by each who uses it. It never changes. */
struct target_python {
	uint32_t references;
	struct python_interpreter *interpreter;
	uint64_t code_start, code_end; /* where its code is mapped; the largest piece of it */
};

struct target_python *target_python_hold(struct target_python *python);
/* NULL is fine. */
void target_python_release(struct target_python *python);

/* Something else is mapped, or another program: it is to be searched for if there is none. */
void target_python_expect(struct target *target);
/* The program has ended, and its interpreter with it. */
void target_python_forget(struct target_table *table, struct target *target);

/*
 * One search for all targets for which it is due. take and done under the lock, run without it.
 * take returns NULL when nothing is due; *pause_seconds says when something will be, if it isn't
 * negative.
 */
struct python_search;
struct python_search *target_python_take(struct target_table *table, double *pause_seconds);
void target_python_run(struct target_table *table, struct python_search *search);
void target_python_done(struct target_table *table, struct python_search *search);

#endif
