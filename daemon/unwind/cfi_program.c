/* SPDX-License-Identifier: Apache-2.0 */
#include "unwind/cfi_program.h"

#include "unwind/machine.h"

#include <dwarf.h>

/* Compilers nest one or two. */
#define REMEMBERED_MAX 16

/* A program that reports without end is none. Real ones have at most some thousand steps. */
#define INSTRUCTIONS_MAX 100000

struct program {
	const struct cfi_section *section;
	const struct cfi_fde *fde;
	struct cfi_reader reader;
	struct cfi_state state;
	struct cfi_state initial; /* after the CIE's instructions */
	struct cfi_state remembered[REMEMBERED_MAX];
	size_t remembered_count;
	uint64_t address;
	bool is_changed; /* since what holds was reported last */
	cfi_row_fn on_row;
	void *context;
};

static void report(struct program *program)
{
	if (program->is_changed)
		program->on_row(program->context, program->address, &program->state);
	program->is_changed = false;
}

/* Returns false when that isn't further on within the function. */
static bool advance_to(struct program *program, uint64_t address)
{
	if (!program->on_row) /* a CIE's instructions hold for no place */
		return false;
	if (address < program->address)
		return false;
	if (address == program->address)
		return true;
	report(program);
	program->address = address;
	return true;
}

static bool advance(struct program *program, uint64_t delta)
{
	return advance_to(program, program->address + delta * program->fde->cie.code_factor);
}

/* The part of a state that holds a register; NULL: nobody asks for that one. */
static struct cfi_value *value_of(const struct program *program, struct cfi_state *state,
				  uint64_t number)
{
	if (number == program->fde->cie.return_register)
		return &state->return_address;
	return number == MACHINE_FRAME_POINTER ? &state->frame_pointer : NULL;
}

static void set_value(struct program *program, uint64_t number, struct cfi_value value)
{
	struct cfi_value *known = value_of(program, &program->state, number);

	if (!known)
		return;
	*known = value;
	program->is_changed = true;
}

static void set_offset(struct program *program, uint64_t number, int64_t offset)
{
	set_value(program, number, (struct cfi_value){.kind = CFI_VALUE_AT_CFA, .offset = offset});
}

static void restore(struct program *program, uint64_t number)
{
	struct cfi_value *initial = value_of(program, &program->initial, number);

	if (initial)
		set_value(program, number, *initial);
}

static void set_cfa(struct program *program, uint64_t number, int64_t offset)
{
	program->state.cfa_register = number;
	program->state.cfa_offset = offset;
	program->state.cfa_expression = NULL;
	program->state.cfa_expression_size = 0;
	program->is_changed = true;
}

static void set_cfa_expression(struct program *program)
{
	uint64_t size = cfi_uleb(&program->reader);

	program->state.cfa_expression = cfi_bytes(&program->reader, size);
	program->state.cfa_expression_size = size;
	program->is_changed = true;
}

static void set_expression(struct program *program, enum cfi_value_kind kind)
{
	uint64_t number = cfi_uleb(&program->reader);
	uint64_t size = cfi_uleb(&program->reader);
	const uint8_t *bytes = cfi_bytes(&program->reader, size);

	if (bytes)
		set_value(program, number,
			  (struct cfi_value){
				  .kind = kind, .expression = bytes, .expression_size = size});
}

static bool remember(struct program *program)
{
	if (program->remembered_count == REMEMBERED_MAX)
		return false;
	program->remembered[program->remembered_count++] = program->state;
	return true;
}

static bool restore_remembered(struct program *program)
{
	if (!program->remembered_count)
		return false;
	program->state = program->remembered[--program->remembered_count];
	program->is_changed = true;
	return true;
}

/* Signed and factored operand, as the _sf instructions have it. */
static int64_t factored(struct program *program)
{
	return (int64_t)((uint64_t)cfi_sleb(&program->reader) *
			 (uint64_t)program->fde->cie.data_factor);
}

static int64_t unsigned_factored(struct program *program)
{
	return (int64_t)(cfi_uleb(&program->reader) * (uint64_t)program->fde->cie.data_factor);
}

/* Those about the CFA. Returns false for others. */
static bool run_cfa_instruction(struct program *program, uint8_t opcode)
{
	struct cfi_reader *reader = &program->reader;
	uint64_t number;

	switch (opcode) {
	case DW_CFA_def_cfa:
		number = cfi_uleb(reader);
		set_cfa(program, number, (int64_t)cfi_uleb(reader));
		return true;
	case DW_CFA_def_cfa_sf:
		number = cfi_uleb(reader);
		set_cfa(program, number, factored(program));
		return true;
	case DW_CFA_def_cfa_register:
		set_cfa(program, cfi_uleb(reader), program->state.cfa_offset);
		return true;
	case DW_CFA_def_cfa_offset:
		set_cfa(program, program->state.cfa_register, (int64_t)cfi_uleb(reader));
		return true;
	case DW_CFA_def_cfa_offset_sf:
		set_cfa(program, program->state.cfa_register, factored(program));
		return true;
	case DW_CFA_def_cfa_expression:
		set_cfa_expression(program);
		return true;
	default:
		return false;
	}
}

/* Those about one register. Returns false for others. */
static bool run_register_instruction(struct program *program, uint8_t opcode)
{
	struct cfi_reader *reader = &program->reader;
	uint64_t number;

	switch (opcode) {
	case DW_CFA_offset_extended:
		number = cfi_uleb(reader);
		set_offset(program, number, unsigned_factored(program));
		return true;
	case DW_CFA_offset_extended_sf:
		number = cfi_uleb(reader);
		set_offset(program, number, factored(program));
		return true;
	case DW_CFA_GNU_negative_offset_extended:
		number = cfi_uleb(reader);
		set_offset(program, number, -unsigned_factored(program));
		return true;
	case DW_CFA_restore_extended:
		restore(program, cfi_uleb(reader));
		return true;
	case DW_CFA_undefined:
		set_value(program, cfi_uleb(reader),
			  (struct cfi_value){.kind = CFI_VALUE_UNDEFINED});
		return true;
	case DW_CFA_same_value:
		set_value(program, cfi_uleb(reader), (struct cfi_value){.kind = CFI_VALUE_SAME});
		return true;
	case DW_CFA_register:
	case DW_CFA_val_offset:
	case DW_CFA_val_offset_sf:
		set_value(program, cfi_uleb(reader), (struct cfi_value){.kind = CFI_VALUE_OTHER});
		cfi_uleb(reader);
		return true;
	case DW_CFA_expression:
		set_expression(program, CFI_VALUE_EXPRESSION);
		return true;
	case DW_CFA_val_expression:
		set_expression(program, CFI_VALUE_OTHER);
		return true;
	default:
		return false;
	}
}

static bool run_instruction(struct program *program)
{
	struct cfi_reader *reader = &program->reader;
	uint8_t opcode = (uint8_t)cfi_unsigned(reader, 1);
	uint8_t operand = opcode & 0x3f;

	/* These three have their operand in the low bits. */
	switch (opcode & 0xc0) {
	case DW_CFA_advance_loc:
		return advance(program, operand);
	case DW_CFA_offset:
		set_offset(program, operand, unsigned_factored(program));
		return true;
	case DW_CFA_restore:
		restore(program, operand);
		return true;
	}
	switch (opcode) {
	case DW_CFA_nop:
		return true;
	case DW_CFA_advance_loc1:
		return advance(program, cfi_unsigned(reader, 1));
	case DW_CFA_advance_loc2:
		return advance(program, cfi_unsigned(reader, 2));
	case DW_CFA_advance_loc4:
		return advance(program, cfi_unsigned(reader, 4));
	case DW_CFA_set_loc:
		return advance_to(program, cfi_address(program->section, reader,
						       program->fde->cie.address_encoding));
	case DW_CFA_remember_state:
		return remember(program);
	case DW_CFA_restore_state:
		return restore_remembered(program);
	case DW_CFA_GNU_args_size:
		cfi_uleb(reader);
		return true;
	default:
		return run_cfa_instruction(program, opcode) ||
		       run_register_instruction(program, opcode);
	}
}

static bool run_instructions(struct program *program, const uint8_t *bytes, size_t size)
{
	program->reader = cfi_reader_new(bytes, size);
	for (int count = 0; program->reader.at < program->reader.end; count++)
		if (count == INSTRUCTIONS_MAX || !run_instruction(program) ||
		    program->reader.is_broken)
			return false;
	return true;
}

bool cfi_program_run(const struct cfi_section *section, const struct cfi_fde *fde,
		     cfi_row_fn on_row, void *context)
{
	struct program program = {
		.section = section, .fde = fde, .address = fde->start, .context = context};

	if (!run_instructions(&program, fde->cie.program, fde->cie.program_size))
		return false;
	program.initial = program.state;
	program.is_changed = true;
	program.on_row = on_row;
	if (!run_instructions(&program, fde->program, fde->program_size))
		return false;
	report(&program);
	return true;
}
