/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Code objects of a Python process: what a function is called, and which line an instruction
 * belongs to. Read once, kept as copies: they mean the same after the object, or the process, has
 * gone.
 *
 * All that is read is hostile: lengths are bounded, tables are decoded within them.
 * Threads: a code object never changes once it has been read; counts are atomic.
 */
#ifndef MEMWATCH_PYTHON_CODE_H
#define MEMWATCH_PYTHON_CODE_H

#include "python/layout.h"
#include "python/memory.h"

#include <stdbool.h>

struct python_code;

/* Bounds the memory that all code objects together take; what goes beyond it is not read. */
void python_code_set_bytes_max(uint64_t bytes_max);
uint64_t python_code_bytes(void);
uint64_t python_code_bytes_max(void);

/*
 * Copies the code object at an address. Returns 0 and *code, held once; -EINVAL when what lies
 * there is none, -EFAULT when it can't be read, -E2BIG when a name or table is larger than any real
 * one, -ENOSPC when all code objects together take too much, -ENOMEM.
 */
int python_code_read(const struct python_layout *layout, const struct python_memory *memory,
		     uint64_t address, struct python_code **code);

/*
 * Whether the object at the address still is the one that was read: by what identifies it, its
 * first line and the addresses of its names and tables. One short read.
 */
bool python_code_is_same(const struct python_code *code, const struct python_layout *layout,
			 const struct python_memory *memory, uint64_t address);

struct python_code *python_code_hold(struct python_code *code);
void python_code_release(struct python_code *code);

/* UTF-8, live as long as the code object. Never NULL; what is no text is escaped. */
const char *python_code_file(const struct python_code *code);
const char *python_code_function(const struct python_code *code); /* co_name */
const char *
python_code_qualified_name(const struct python_code *code); /* co_qualname, or co_name */
uint32_t python_code_first_line(const struct python_code *code);

/*
 * The line of the instruction at a byte offset in its bytecode; 0: its tables name none, as of what
 * the compiler adds by itself.
 *
 * The offset is where a frame says that it is (see enum record_python_instruction), less where the
 * bytecode begins, in bytes: 2 for each unit, which from 3.11 are instructions and their cache
 * entries. It is used as it is, in an outer frame as in the innermost: in every version it stays at
 * the instruction that makes the call until that returns (f_lasti, instr_ptr), or at a cache entry
 * of it (prev_instr, 3.11 and 3.12), and cache entries have their instruction's line. These are the
 * lines that tracebacks show. Of a frame that is before its first instruction take
 * python_code_first_line().
 */
uint32_t python_code_line(const struct python_code *code, uint32_t instruction_offset_bytes);

#endif
