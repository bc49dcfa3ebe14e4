/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What of unwind tables depends on the architecture: which registers matter, and which of their
 * descriptions the walker can follow. Here x86-64, beside bpf/unwind_frame.h; another architecture
 * is another file with these functions.
 */
#ifndef MEMWATCH_UNWIND_MACHINE_H
#define MEMWATCH_UNWIND_MACHINE_H

#include "record.h"
#include "unwind/cfi_program.h"

/* As DWARF numbers it (System V ABI for AMD64, 3.6.2). */
#define MACHINE_FRAME_POINTER 6

/* ELF's number of the machine. */
#define MACHINE_ELF EM_X86_64

/* Stubs of the procedure linkage table begin at multiples of this. */
#define MACHINE_STUB_ALIGNMENT 16
#define MACHINE_STUB_ROWS_MAX  4

struct machine_stub {
	size_t bytes; /* with what fills it up */
	size_t row_count;
	struct machine_stub_row {
		size_t offset;
		struct record_unwind_rule rule;
	} rows[MACHINE_STUB_ROWS_MAX];
};

/*
 * What holds within a stub by which library functions are called, known by its instructions: not
 * every linker describes those that it makes. Returns false for other code.
 */
bool machine_stub(const uint8_t *bytes, size_t size, struct machine_stub *stub);

/* The rule that a state comes to; RECORD_UNWIND_UNSUPPORTED when the walker can't follow it. */
struct record_unwind_rule machine_rule(const struct cfi_cie *cie, const struct cfi_state *state);

/* The rule of all code of V8's, which describes none of it. */
struct record_unwind_rule machine_v8_rule(void);

#endif
