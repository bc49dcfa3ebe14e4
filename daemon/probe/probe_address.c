/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/probe_address.h"

#include "probe/x86_register.h"

#include <capstone/capstone.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* No x86 instruction is longer. */
#define INSTRUCTION_BYTES_MAX 15

#define ARGUMENTS 6
/* The index behind the registers': a copy on its way. */
#define SPARE X86_REGISTERS

/* The walk from the entry on, and the way that it took. */
struct walk {
	csh disassembler;
	cs_insn *instruction; /* where the walk stands */
	cs_insn *scanned;     /* where a scan over the whole function stands */
	const uint8_t *code;
	size_t code_size;
	const struct probe_request *request;
	int8_t holds[X86_REGISTERS + 1]; /* which argument each register holds here, or -1 */
	bool seeks_null_check;
	bool is_past_null_check;
	bool is_null_flagged; /* the zero flag says whether the first argument is null */
	/* The non-null branch of a null check that jumps: from where, to where; 0: none. */
	uint64_t jump_from;
	uint64_t jump_to;
};

static bool walk_decode(const struct walk *walk, uint64_t offset, cs_insn *instruction)
{
	const uint8_t *code = walk->code + offset;
	size_t left = walk->code_size - offset;

	return cs_disasm_iter(walk->disassembler, &code, &left, &offset, instruction);
}

/*
 * What the kernel emulates, from Linux 5.15 on: arch/x86/kernel/uprobes.c, branch_setup_xol_ops()
 * and push_setup_xol_ops(). Exact lengths leave out all prefixed forms but `push %r8` to `%r15`:
 * 0x66 before a branch is refused by the kernel, other prefixes aren't worth the trust. Left out as
 * well: nops of more than one byte (emulated since 6.18 only, and those that the kernel optimises
 * become a system call, which a seccomp filter may answer with death) and calls (emulated without
 * the push to the shadow stack where a process has one).
 */
static bool instruction_is_emulated(const cs_insn *instruction)
{
	const uint8_t *bytes = instruction->bytes;

	switch (instruction->size) {
	case 1:
		return (bytes[0] & 0xf8) == 0x50 || bytes[0] == 0x90; /* push, nop */
	case 2:
		return (bytes[0] == 0x41 && (bytes[1] & 0xf8) == 0x50) || /* push %r8 to %r15 */
		       (bytes[0] & 0xf0) == 0x70 || bytes[0] == 0xeb;     /* jcc, jmp */
	case 5:
		return bytes[0] == 0xe9; /* jmp */
	case 6:
		return bytes[0] == 0x0f && (bytes[1] & 0xf0) == 0x80; /* jcc */
	default:
		return false;
	}
}

/* A register that holds the argument and that a probe's cookie can name, or -1. */
static int argument_register(const struct walk *walk, int argument)
{
	if (walk->holds[argument] == argument)
		return argument;
	for (int number = 0; number <= PROBE_REGISTER_RAX; number++)
		if (walk->holds[number] == argument && number != PROBE_REGISTER_R9)
			return number;
	return -1;
}

static bool argument_is_held(const struct walk *walk, int argument)
{
	for (int number = 0; number < X86_REGISTERS; number++)
		if (walk->holds[number] == argument)
			return true;
	return false;
}

/*
 * Instructions that do nothing but compute, so that the walk may step over them when their results
 * go elsewhere. An unknown one ends the walk: what it writes is not worth guessing.
 */
static bool instruction_is_plain(unsigned id)
{
	switch (id) {
	case X86_INS_ADC:
	case X86_INS_ADD:
	case X86_INS_AND:
	case X86_INS_BT:
	case X86_INS_CMP:
	case X86_INS_DEC:
	case X86_INS_IMUL:
	case X86_INS_INC:
	case X86_INS_MUL:
	case X86_INS_NEG:
	case X86_INS_OR:
	case X86_INS_SAR:
	case X86_INS_SBB:
	case X86_INS_SHL:
	case X86_INS_SHR:
	case X86_INS_SUB:
	case X86_INS_TEST:
	case X86_INS_XOR:
		return true;
	default:
		return false;
	}
}

/* Of the plain ones, those that leave the flags alone. */
static bool instruction_keeps_flags(unsigned id)
{
	switch (id) {
	case X86_INS_CDQE:
	case X86_INS_ENDBR64:
	case X86_INS_LEA:
	case X86_INS_MOV:
	case X86_INS_MOVABS:
	case X86_INS_MOVAPS:
	case X86_INS_MOVD:
	case X86_INS_MOVDQA:
	case X86_INS_MOVDQU:
	case X86_INS_MOVQ:
	case X86_INS_MOVSX:
	case X86_INS_MOVSXD:
	case X86_INS_MOVUPS:
	case X86_INS_MOVZX:
	case X86_INS_NOP:
	case X86_INS_NOT:
	case X86_INS_PUSH:
	case X86_INS_PXOR:
	case X86_INS_XORPS:
		return true;
	default:
		return false;
	}
}

static const char *write_objection(struct walk *walk, unsigned reg)
{
	int number = x86_register_number(reg);
	int argument = number < 0 ? -1 : walk->holds[number];

	if (argument >= 0) {
		walk->holds[number] = -1;
		if (walk->request->arguments_stay || !argument_is_held(walk, argument))
			return "overwrites an argument";
	}
	if (walk->request->needs_return && x86_register_is_stack_pointer(reg))
		return "moves %rsp";
	return NULL;
}

/* Of `mov %rdi,%rsi`: the argument that the destination will hold; -1 of anything else. */
static int instruction_copies(const struct walk *walk)
{
	const cs_x86 *x86 = &walk->instruction->detail->x86;
	int from;

	if (walk->instruction->id != X86_INS_MOV || x86->op_count != 2 ||
	    x86_register_whole(&x86->operands[1]) < 0)
		return -1;
	from = x86_register_whole(&x86->operands[0]);
	return from < 0 ? -1 : walk->holds[from];
}

/* Why the walk may not go past the instruction; NULL: it may. */
static const char *instruction_objection(struct walk *walk)
{
	const cs_insn *instruction = walk->instruction;
	const cs_x86 *x86 = &instruction->detail->x86;
	int copied = instruction_copies(walk);
	const char *objection = NULL;
	cs_regs read;
	cs_regs written;
	uint8_t read_count = 0;
	uint8_t written_count = 0;

	if (!instruction_is_plain(instruction->id) && !instruction_keeps_flags(instruction->id))
		return "comes before any emulated instruction";
	if (cs_regs_access(walk->disassembler, instruction, read, &read_count, written,
			   &written_count))
		return "has unknown effects";
	/* Before the destination is overwritten its copy is the argument's as well. */
	if (copied >= 0)
		walk->holds[SPARE] = (int8_t)copied;
	for (unsigned i = 0; i < written_count && !objection; i++)
		objection = write_objection(walk, written[i]);
	/* In AT&T order the destination is last; capstone 4 doesn't say of all that it is written.
	 */
	if (!objection && x86->op_count > 0 &&
	    x86->operands[x86->op_count - 1].type == X86_OP_REG &&
	    instruction->id != X86_INS_TEST && instruction->id != X86_INS_CMP &&
	    instruction->id != X86_INS_BT && instruction->id != X86_INS_PUSH)
		objection = write_objection(walk, x86->operands[x86->op_count - 1].reg);
	walk->holds[SPARE] = -1;
	if (copied >= 0 && !objection)
		walk->holds[x86_register_whole(&x86->operands[1])] = (int8_t)copied;
	return objection;
}

static bool instruction_compares_first_argument_with_null(const struct walk *walk)
{
	const cs_insn *instruction = walk->instruction;
	const cs_x86_op *operands = instruction->detail->x86.operands;
	int number;

	if (instruction->detail->x86.op_count != 2)
		return false;
	number = x86_register_whole(&operands[1]);
	if (number < 0 || walk->holds[number] != 0)
		return false;
	if (instruction->id == X86_INS_TEST)
		return x86_register_whole(&operands[0]) == number;
	return instruction->id == X86_INS_CMP && operands[0].type == X86_OP_IMM &&
	       operands[0].imm == 0;
}

/* The target of a relative branch or call, or UINT64_MAX. */
static uint64_t branch_target(const cs_insn *instruction)
{
	const cs_detail *detail = instruction->detail;

	for (unsigned i = 0; i < detail->groups_count; i++) {
		if (detail->groups[i] == X86_GRP_BRANCH_RELATIVE && detail->x86.op_count == 1 &&
		    detail->x86.operands[0].type == X86_OP_IMM)
			return (uint64_t)detail->x86.operands[0].imm;
	}
	return UINT64_MAX;
}

static bool instruction_ends_flow(const cs_insn *instruction)
{
	switch (instruction->id) {
	case X86_INS_JMP:
	case X86_INS_LJMP:
	case X86_INS_RET:
	case X86_INS_UD2:
	case X86_INS_HLT:
	case X86_INS_INT3:
		return true;
	default:
		return false;
	}
}

static bool walk_took(const struct walk *walk, uint64_t offset, uint64_t end)
{
	if (!walk->jump_to)
		return offset > 0 && offset <= end;
	return (offset > 0 && offset <= walk->jump_from) ||
	       (offset >= walk->jump_to && offset <= end);
}

/*
 * Whether the instruction at `end`, where the walk stands, is passed once by each call that takes
 * the walk's way, and by no other: no branch in the function leads onto the way. Indirect jumps
 * cannot be followed, but a jump table leads into a function's body, not before its prologue.
 * A branch back to the entry itself is a call of itself. What cannot be decoded could be anything.
 */
static const char *walk_ambiguity(const struct walk *walk, uint64_t end)
{
	const char *led_to = "may be passed more than once";
	bool is_jump_to_reached = walk->jump_to == 0;
	bool falls_through = true;
	uint64_t offset = 0;

	while (offset < walk->code_size) {
		uint64_t target;

		if (!walk_decode(walk, offset, walk->scanned)) {
			/* the last instruction may be cut off */
			if (walk->code_size - offset >= INSTRUCTION_BYTES_MAX)
				return "precedes what cannot be decoded";
			break;
		}
		if (walk->jump_to && offset == walk->jump_to) {
			if (falls_through)
				return led_to;
			is_jump_to_reached = true;
		}
		target = branch_target(walk->scanned);
		if (target != UINT64_MAX && !(walk->jump_to && offset == walk->jump_from) &&
		    walk_took(walk, target, end))
			return led_to;
		if (walk->scanned->id != X86_INS_NOP)
			falls_through = !instruction_ends_flow(walk->scanned);
		offset += walk->scanned->size;
	}
	return is_jump_to_reached ? NULL : led_to;
}

/*
 * If the instruction at `offset` is the jump of a null check, goes on where a non-null argument
 * goes: returns that offset, else 0.
 */
static uint64_t walk_pass_null_check(struct walk *walk, uint64_t offset)
{
	uint64_t next = offset + walk->instruction->size;

	if (!walk->is_null_flagged)
		return 0;
	if (walk->instruction->id == X86_INS_JNE) {
		uint64_t target = branch_target(walk->instruction);

		if (target < next || target >= walk->code_size)
			return 0;
		walk->jump_from = offset;
		walk->jump_to = target;
		next = target;
	} else if (walk->instruction->id != X86_INS_JE) {
		return 0;
	}
	walk->seeks_null_check = false;
	walk->is_past_null_check = true;
	return next;
}

static const char *instruction_name(const struct walk *walk)
{
	const char *name = cs_insn_name(walk->disassembler, walk->instruction->id);

	return name ? name : "an instruction";
}

/* "; %rdi is in %rsi", for each argument that is elsewhere. */
static void say_moved(const struct walk *walk, struct probe_address *chosen)
{
	for (unsigned i = 0; i < ARGUMENTS; i++) {
		size_t used = strlen(chosen->reason);

		if (chosen->registers[i] != i)
			snprintf(chosen->reason + used, sizeof(chosen->reason) - used,
				 "; %%%s is in %%%s", x86_register_name(walk->disassembler, (int)i),
				 x86_register_name(walk->disassembler, chosen->registers[i]));
	}
}

static void choose_instruction(struct probe_address *chosen, uint64_t offset,
			       const struct walk *walk)
{
	/* The operand of a branch is an address that would mean nothing here. */
	bool has_operand = walk->instruction->id == X86_INS_PUSH;

	*chosen = (struct probe_address){
		.offset_bytes = (uint32_t)offset,
		.is_emulated = true,
		.is_past_null_check = walk->is_past_null_check,
	};
	for (unsigned i = 0; i < ARGUMENTS; i++) {
		chosen->registers[i] = (uint8_t)i;
		if (i < walk->request->argument_count)
			chosen->registers[i] = (uint8_t)argument_register(walk, (int)i);
	}
	snprintf(chosen->reason, sizeof(chosen->reason), "%.16s%s%.8s at +%u%s",
		 instruction_name(walk), has_operand ? " " : "",
		 has_operand ? walk->instruction->op_str : "", chosen->offset_bytes,
		 walk->is_past_null_check ? " after the null check of %rdi" : "");
	say_moved(walk, chosen);
}

/* Says why the walk ends at `offset`, unless it has found an address before. */
static void choose_entry(struct probe_address *chosen, uint64_t offset, const char *what,
			 const char *objection)
{
	if (!chosen->is_emulated)
		snprintf(chosen->reason, sizeof(chosen->reason), "entry: %.16s at +%u %s", what,
			 (unsigned)offset, objection);
}

/* Whether the walk may go on from the emulated instruction at `offset`; probes it if it can be. */
static bool walk_consider(const struct walk *walk, uint64_t offset, struct probe_address *chosen)
{
	const char *ambiguity;

	/* What follows the first is better only past a null check. */
	if (chosen->is_emulated && !walk->is_past_null_check)
		return true;
	ambiguity = walk_ambiguity(walk, offset);
	for (unsigned i = 0; i < walk->request->argument_count && !ambiguity; i++)
		if (argument_register(walk, (int)i) < 0)
			ambiguity = "has an argument in a register that probes don't look at";
	if (ambiguity) {
		choose_entry(chosen, offset, instruction_name(walk), ambiguity);
		return false;
	}
	choose_instruction(chosen, offset, walk);
	return true;
}

/* One instruction of the walk. Returns the offset of the next one, or 0: the walk is over. */
static uint64_t walk_step(struct walk *walk, uint64_t offset, struct probe_address *chosen)
{
	const cs_insn *instruction = walk->instruction;
	const char *objection;

	if (offset >= walk->code_size || !walk_decode(walk, offset, walk->instruction)) {
		choose_entry(chosen, offset, "what is", "cannot be decoded");
		return 0;
	}
	if (instruction_is_emulated(instruction)) {
		uint64_t past;

		if (!walk_consider(walk, offset, chosen) || !walk->seeks_null_check)
			return 0;
		past = walk_pass_null_check(walk, offset);
		if (past)
			return past;
	}
	objection = instruction_objection(walk);
	if (objection) {
		choose_entry(chosen, offset, instruction_name(walk), objection);
		return 0;
	}
	if (!instruction_keeps_flags(instruction->id))
		walk->is_null_flagged = instruction_compares_first_argument_with_null(walk);
	return offset + instruction->size;
}

static int walk_open(struct walk *walk)
{
	if (cs_open(CS_ARCH_X86, CS_MODE_64, &walk->disassembler))
		return -ENOMEM;
	if (cs_option(walk->disassembler, CS_OPT_DETAIL, CS_OPT_ON) ||
	    cs_option(walk->disassembler, CS_OPT_SYNTAX, CS_OPT_SYNTAX_ATT))
		return -ENOTSUP;
	walk->instruction = cs_malloc(walk->disassembler);
	walk->scanned = cs_malloc(walk->disassembler);
	return walk->instruction && walk->scanned ? 0 : -ENOMEM;
}

static void walk_close(struct walk *walk)
{
	if (walk->scanned)
		cs_free(walk->scanned, 1);
	if (walk->instruction)
		cs_free(walk->instruction, 1);
	if (walk->disassembler)
		cs_close(&walk->disassembler);
}

void probe_address_choose(const uint8_t *code, size_t code_size,
			  const struct probe_request *request, struct probe_address *chosen)
{
	struct walk walk = {
		.code = code,
		.code_size = code_size,
		.request = request,
		.seeks_null_check = request->skips_null && request->argument_count > 0,
	};
	uint64_t offset = 0;

	for (unsigned i = 0; i <= X86_REGISTERS; i++)
		walk.holds[i] = (int8_t)(i < request->argument_count ? (int)i : -1);
	*chosen = (struct probe_address){.registers = {0, 1, 2, 3, 4, 5}};
	if (walk_open(&walk)) {
		choose_entry(chosen, 0, "code", "cannot be decoded: no disassembler");
	} else {
		do {
			offset = walk_step(&walk, offset, chosen);
		} while (offset);
	}
	walk_close(&walk);
}
