/* SPDX-License-Identifier: Apache-2.0 */
/* Runs the instructions of CIEs and FDEs (DWARF 5, 6.4.2): what holds from which address on. */
#ifndef MEMWATCH_UNWIND_CFI_PROGRAM_H
#define MEMWATCH_UNWIND_CFI_PROGRAM_H

#include "unwind/cfi_entry.h"

/* How a register of the caller is found. */
enum cfi_value_kind {
	CFI_VALUE_UNSPECIFIED, /* by the calling convention: the same, if the callee preserves it */
	CFI_VALUE_SAME,
	CFI_VALUE_UNDEFINED,
	CFI_VALUE_AT_CFA,     /* in memory, at CFA + offset */
	CFI_VALUE_EXPRESSION, /* in memory, where the expression says */
	CFI_VALUE_OTHER,      /* in ways that the walker doesn't follow */
};

struct cfi_value {
	enum cfi_value_kind kind;
	int64_t offset;
	const uint8_t *expression;
	size_t expression_size;
};

/* What is known of one place in the code. */
struct cfi_state {
	uint64_t cfa_register;
	int64_t cfa_offset;
	const uint8_t
		*cfa_expression; /* not NULL: it says where the CFA is, and not the two above */
	size_t cfa_expression_size;
	struct cfi_value frame_pointer;
	struct cfi_value return_address;
};

/* What holds from an address on. */
typedef void (*cfi_row_fn)(void *context, uint64_t address, const struct cfi_state *state);

/*
 * Reports what holds from the FDE's start on, and each change up to its end, in the order of
 * addresses. The frame pointer is that of the machine. Returns false when the instructions are
 * broken or unknown; what was reported before that is right.
 */
bool cfi_program_run(const struct cfi_section *section, const struct cfi_fde *fde,
		     cfi_row_fn on_row, void *context);

#endif
