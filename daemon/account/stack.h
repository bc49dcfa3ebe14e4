/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stacks in normalised form: frames as (module, file offset), which mean the same across address
 * space randomisation and after the process has died.
 */
#ifndef MEMWATCH_ACCOUNT_STACK_H
#define MEMWATCH_ACCOUNT_STACK_H

#include "symbol/address_space.h"

/* Why a stack has no further frames. */
enum stack_end {
	STACK_END_FRAME_POINTER, /* the frame pointer chain ended; whether at a root is a guess */
	STACK_END_TRUNCATED,     /* deeper than is kept */
	STACK_END_LOST,          /* the stack could not be had */
};

struct stack_frame {
	struct module *module; /* held; NULL: in no file */
	uint64_t offset;       /* of the return address in the file; without a module the address */
	const char *function;  /* without a module, as its process names it; NULL: unknown */
};

struct stack {
	enum stack_end end;
	uint32_t frame_count;
	struct stack_frame frames[]; /* innermost first, return addresses */
};

/* Static: as JSON says it. */
const char *stack_end_name(enum stack_end end);

/*
 * Normalises return addresses. What can be no code of this process ends the stack: it comes from a
 * frame pointer that was none. *has_unknown says that an address was in no known mapping, so that a
 * look at fresh mappings may help. NULL when out of memory.
 */
struct stack *stack_new(struct address_space *space, const uint64_t *addresses,
			size_t address_count, bool is_truncated, bool *has_unknown);
/* Names code in no file that had no name yet: a process may state it later. */
void stack_name_code(struct stack *stack, struct address_space *space);
void stack_free(struct stack *stack);

#endif
