/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stacks in normalised form: frames as (module, file offset), which mean the same across address
 * space randomisation and after the process has died.
 */
#ifndef MEMWATCH_ACCOUNT_STACK_H
#define MEMWATCH_ACCOUNT_STACK_H

#include "python/code.h"
#include "record.h"
#include "symbol/address_space.h"
#include "symbol/namer.h"

/* Beside enum record_stack_end: the stack could not be had. */
#define STACK_END_LOST RECORD_STACK_ENDS_COUNT

#define PYTHON_OFFSET_START   UINT64_MAX
#define PYTHON_OFFSET_UNKNOWN (UINT64_MAX - 1)

struct stack_frame {
	struct module *module; /* held; NULL: in no file */
	uint64_t offset;       /* of the return address in the file; without a module the address */
	struct symbol_name *code; /* owned; without a module, as its process names it, if it does */
	/*
	 * Of a Python frame, instead of a module: the address of its code object, of which offset
	 * is the instruction, in bytes; PYTHON_OFFSET_START before the first one,
	 * PYTHON_OFFSET_UNKNOWN.
	 */
	uint64_t python_address;         /* 0: it is none */
	struct python_code *python_code; /* held; NULL: not read yet, or it could not be */
	bool is_code_wanted;             /* it will be read */
	uint32_t line;                   /* 0: unknown */
};

struct stack {
	uint32_t end;                  /* enum record_stack_end: why it has no further frames */
	uint32_t python_end;           /* enum record_python_end */
	bool is_called_by_interpreter; /* the direct caller is Python's own code */
	uint32_t frame_count;
	struct stack_frame frames[]; /* innermost first, return addresses */
};

/* Static: as JSON says it. */
const char *stack_end_name(uint32_t end);

/*
 * Normalises the return addresses of a stack that ended so. Before the unwind tables are there, an
 * address that can be no code of this process ends it: it comes from a frame pointer that was none.
 * *has_unknown says that an address was in no known mapping, so that a look at fresh mappings may
 * help. NULL when out of memory.
 */
struct stack *stack_new(struct address_space *space, const uint64_t *addresses,
			size_t address_count, uint32_t end, bool *has_unknown);
/* Names code in no file that had no name yet: a process may state it later. */
void stack_name_code(struct stack *stack, struct address_space *space);
/* Has the names of its frames looked up, for when they are asked for. */
void stack_want_names(const struct stack *stack, struct namer *namer);
/* Where the name of a frame that has a module is to be looked up. */
uint64_t stack_frame_call_offset(const struct stack_frame *frame);
/* Static: as JSON says it; NULL for a stack that passes no Python. */
const char *stack_python_end_name(uint32_t python_end);
/* NULL when out of memory. */
struct stack *stack_copy(const struct stack *stack);
void stack_free(struct stack *stack);

#endif
