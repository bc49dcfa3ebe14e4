/* SPDX-License-Identifier: Apache-2.0 */
#include "unwind/machine.h"

#include <dwarf.h>

#define STACK_POINTER  7
#define RETURN_ADDRESS 16

/* Where rsp lies in struct sigcontext, from its r8 on (see bpf/unwind_frame.h). */
#define SIGCONTEXT_RSP 120

static const struct record_unwind_rule unsupported = {.kind = RECORD_UNWIND_UNSUPPORTED};

/* DW_OP_breg of one of the two registers, with its offset. */
static bool read_base(struct cfi_reader *reader, uint8_t *number, int64_t *offset)
{
	uint8_t opcode = (uint8_t)cfi_unsigned(reader, 1);

	*offset = cfi_sleb(reader);
	*number = (uint8_t)(opcode - DW_OP_breg0);
	return !reader->is_broken && (*number == STACK_POINTER || *number == MACHINE_FRAME_POINTER);
}

/* What is added to the word that was read; 0 at the end of the expression. */
static bool read_addend(struct cfi_reader *reader, int64_t *addend)
{
	uint8_t opcode;

	*addend = 0;
	if (!cfi_left(reader))
		return true;
	opcode = (uint8_t)cfi_unsigned(reader, 1);
	if (opcode == DW_OP_plus_uconst) {
		*addend = (int64_t)cfi_uleb(reader);
	} else if (opcode >= DW_OP_lit0 && opcode <= DW_OP_lit31) {
		*addend = opcode - DW_OP_lit0;
		if (cfi_unsigned(reader, 1) != DW_OP_plus)
			return false;
	} else {
		return false;
	}
	return !reader->is_broken && !cfi_left(reader);
}

/*
 * CFA of a PLT entry, by which linkers describe the whole table at once: rsp + 8, and 8 more behind
 * the push that is the entry's second instruction.
 */
static bool is_plt(const uint8_t *bytes, size_t size, int *pushed_from)
{
	static const uint8_t before[] = {DW_OP_breg7, 8, DW_OP_breg16, 0, DW_OP_lit15, DW_OP_and};
	static const uint8_t after[] = {DW_OP_ge, DW_OP_lit3, DW_OP_shl, DW_OP_plus};

	if (size != sizeof(before) + 1 + sizeof(after) ||
	    memcmp(bytes, before, sizeof(before)) != 0 ||
	    memcmp(bytes + sizeof(before) + 1, after, sizeof(after)) != 0)
		return false;
	*pushed_from = bytes[sizeof(before)] - DW_OP_lit0;
	return *pushed_from >= 0 && *pushed_from < 16;
}

/* A CFA in memory; of a signal trampoline that is the interrupted rsp, as the kernel saved it. */
static bool set_expression_cfa(const struct cfi_cie *cie, const struct cfi_state *state,
			       struct record_unwind_rule *rule)
{
	struct cfi_reader reader =
		cfi_reader_new(state->cfa_expression, state->cfa_expression_size);
	int64_t offset, addend;
	int pushed_from;
	uint8_t base;

	if (is_plt(state->cfa_expression, state->cfa_expression_size, &pushed_from)) {
		rule->kind = RECORD_UNWIND_PLT;
		rule->cfa_offset = 8;
		rule->cfa_addend = (int16_t)pushed_from;
		return true;
	}
	if (!read_base(&reader, &base, &offset) || cfi_unsigned(&reader, 1) != DW_OP_deref ||
	    !read_addend(&reader, &addend) || reader.is_broken)
		return false;
	if (offset != (int32_t)offset || addend != (int16_t)addend)
		return false;
	if (cie->is_signal_frame && base == STACK_POINTER && !addend) {
		rule->kind = RECORD_UNWIND_SIGNAL;
		rule->cfa_offset = (int32_t)offset - SIGCONTEXT_RSP;
		return true;
	}
	rule->kind = base == STACK_POINTER ? RECORD_UNWIND_DEREFERENCED_STACK_POINTER
					   : RECORD_UNWIND_DEREFERENCED_FRAME_POINTER;
	rule->cfa_offset = (int32_t)offset;
	rule->cfa_addend = (int16_t)addend;
	return true;
}

static bool set_cfa(const struct cfi_cie *cie, const struct cfi_state *state,
		    struct record_unwind_rule *rule)
{
	if (state->cfa_expression)
		return set_expression_cfa(cie, state, rule);
	if (state->cfa_register == STACK_POINTER)
		rule->kind = RECORD_UNWIND_STACK_POINTER;
	else if (state->cfa_register == MACHINE_FRAME_POINTER)
		rule->kind = RECORD_UNWIND_FRAME_POINTER;
	else
		return false;
	rule->cfa_offset = (int32_t)state->cfa_offset;
	return rule->cfa_offset == state->cfa_offset;
}

static void set_frame_pointer(const struct cfi_value *value, struct record_unwind_rule *rule)
{
	struct cfi_reader reader;
	int64_t offset = value->offset;
	uint8_t base;

	rule->frame_pointer = RECORD_UNWIND_FRAME_POINTER_LOST;
	switch (value->kind) {
	case CFI_VALUE_UNSPECIFIED:
	case CFI_VALUE_SAME:
		rule->frame_pointer = RECORD_UNWIND_FRAME_POINTER_SAME;
		return;
	case CFI_VALUE_AT_CFA:
		if (offset != (int16_t)offset)
			return;
		rule->frame_pointer = RECORD_UNWIND_FRAME_POINTER_AT_CFA;
		break;
	case CFI_VALUE_EXPRESSION:
		if (!value->expression)
			return;
		reader = cfi_reader_new(value->expression, value->expression_size);
		if (!read_base(&reader, &base, &offset) || base != MACHINE_FRAME_POINTER ||
		    cfi_left(&reader) || offset != (int16_t)offset)
			return;
		rule->frame_pointer = RECORD_UNWIND_FRAME_POINTER_AT_FRAME_POINTER;
		break;
	case CFI_VALUE_UNDEFINED:
	case CFI_VALUE_OTHER:
		return;
	}
	rule->frame_pointer_offset = (int16_t)offset;
}

struct record_unwind_rule machine_rule(const struct cfi_cie *cie, const struct cfi_state *state)
{
	struct record_unwind_rule rule = {0};

	if (cie->return_register != RETURN_ADDRESS)
		return unsupported;
	if (state->return_address.kind == CFI_VALUE_UNDEFINED)
		return (struct record_unwind_rule){.kind = RECORD_UNWIND_END};
	if (!set_cfa(cie, state, &rule))
		return unsupported;
	if (rule.kind == RECORD_UNWIND_SIGNAL)
		return rule;
	if (cie->is_signal_frame || state->return_address.kind != CFI_VALUE_AT_CFA ||
	    state->return_address.offset != -8)
		return unsupported;
	set_frame_pointer(&state->frame_pointer, &rule);
	return rule;
}

struct record_unwind_rule machine_v8_rule(void)
{
	/* The return address above the saved rbp, at which rbp points. */
	return (struct record_unwind_rule){.kind = RECORD_UNWIND_V8,
					   .cfa_offset = 16,
					   .frame_pointer = RECORD_UNWIND_FRAME_POINTER_AT_CFA,
					   .frame_pointer_offset = -16};
}
