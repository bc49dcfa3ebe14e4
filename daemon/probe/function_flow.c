/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/function_flow.h"

#include <capstone/capstone.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* No x86 instruction is longer. */
#define INSTRUCTION_BYTES_MAX 15

/* An operator new with all that is inlined into it has some 200 instructions; realloc 900. */
#define FLOW_INSTRUCTIONS_MAX 4096
/* A power of two, with room to spare for the instructions. */
#define VISITED_SIZE 16384
/* What passes on shuffles its arguments and reads a thread's heap. */
#define PASSING_INSTRUCTIONS_MAX 16
/* A sized operator delete reckons its alignment before it goes on. */
#define FREEING_INSTRUCTIONS_MAX 64

struct flow {
	const struct code_source *source;
	csh disassembler;
	cs_insn *instruction;
	uint64_t entry;
	struct function_exits *exits;
	/* Offsets to go on from. */
	uint64_t *branches;
	size_t branch_count;
	/* Offsets that have been decoded, hashed; 0: free. */
	uint64_t *visited;
	size_t visited_count;
};

static bool flow_open(struct flow *flow)
{
	if (cs_open(CS_ARCH_X86, CS_MODE_64, &flow->disassembler))
		return false;
	if (cs_option(flow->disassembler, CS_OPT_DETAIL, CS_OPT_ON))
		return false;
	flow->instruction = cs_malloc(flow->disassembler);
	return flow->instruction;
}

static bool flow_remember(struct flow *flow)
{
	flow->branches = calloc(FLOW_INSTRUCTIONS_MAX, sizeof(*flow->branches));
	flow->visited = calloc(VISITED_SIZE, sizeof(*flow->visited));
	return flow->branches && flow->visited;
}

static void flow_close(struct flow *flow)
{
	free(flow->visited);
	free(flow->branches);
	if (flow->instruction)
		cs_free(flow->instruction, 1);
	if (flow->disassembler)
		cs_close(&flow->disassembler);
}

static bool flow_decode(struct flow *flow, uint64_t offset)
{
	uint8_t bytes[INSTRUCTION_BYTES_MAX];
	size_t left = flow->source->read(flow->source->context, offset, bytes, sizeof(bytes));
	const uint8_t *code = bytes;
	uint64_t address = offset;

	return left &&
	       cs_disasm_iter(flow->disassembler, &code, &left, &address, flow->instruction);
}

static bool fail(struct flow *flow, const char *before, const char *what, const char *after)
{
	snprintf(flow->exits->reason, sizeof(flow->exits->reason), "%s%s%s", before, what, after);
	return false;
}

/* "+35", or "-160" of code that the function jumps to. */
static const char *place(const struct flow *flow, uint64_t offset, char text[24])
{
	snprintf(text, 24, "%+lld", (long long)(offset - flow->entry));
	return text;
}

/* Whether the offset is new. */
static bool flow_visit(struct flow *flow, uint64_t offset)
{
	size_t slot = (size_t)((offset * 0x9e3779b97f4a7c15ULL) >> 32) % VISITED_SIZE;

	while (flow->visited[slot] && flow->visited[slot] != offset + 1)
		slot = (slot + 1) % VISITED_SIZE;
	if (flow->visited[slot])
		return false;
	flow->visited[slot] = offset + 1;
	flow->visited_count++;
	return true;
}

static bool instruction_is_in(const cs_insn *instruction, uint8_t group)
{
	for (unsigned i = 0; i < instruction->detail->groups_count; i++)
		if (instruction->detail->groups[i] == group)
			return true;
	return false;
}

/* The one operand of a jump or call, when it is a place in the code. */
static bool branch_is_direct(const cs_insn *instruction, uint64_t *target)
{
	const cs_x86 *x86 = &instruction->detail->x86;

	if (x86->op_count != 1 || x86->operands[0].type != X86_OP_IMM)
		return false;
	*target = (uint64_t)x86->operands[0].imm;
	return true;
}

/* What a jump or call through a word at a fixed distance leads to. */
static bool branch_slot(const struct code_source *source, const cs_insn *instruction,
			struct code_slot *slot)
{
	const cs_x86 *x86 = &instruction->detail->x86;
	const cs_x86_op *operand = &x86->operands[0];

	return x86->op_count == 1 && operand->type == X86_OP_MEM &&
	       operand->mem.base == X86_REG_RIP && operand->mem.index == X86_REG_INVALID &&
	       operand->mem.segment == X86_REG_INVALID &&
	       source->slot(source->context, instruction->address,
			    operand->mem.disp + instruction->size, slot);
}

static bool symbol_never_returns(const char *symbol)
{
	static const char *const names[] = {
		"abort",          "exit",          "_exit",
		"__cxa_throw",    "__cxa_rethrow", "__stack_chk_fail",
		"_Unwind_Resume", "__assert_fail", "_ZSt9terminatev",
		"__fortify_fail", "__chk_fail",    "_ZSt17__throw_bad_allocv",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(symbol, names[i]))
			return true;
	return false;
}

static int offset_compare(const void *a, const void *b)
{
	uint64_t first = *(const uint64_t *)a, second = *(const uint64_t *)b;

	return (first > second) - (first < second);
}

static bool flow_branch(struct flow *flow, uint64_t target)
{
	if (flow->branch_count == FLOW_INSTRUCTIONS_MAX)
		return fail(flow, "it is too large to follow", "", "");
	flow->branches[flow->branch_count++] = target;
	return true;
}

/* What one instruction does to the flow: where it goes on in a straight line, 0: nowhere. */
static bool flow_step(struct flow *flow, uint64_t offset, uint64_t *next)
{
	const cs_insn *instruction = flow->instruction;
	struct code_slot slot;
	uint64_t target;
	char where[24];

	*next = offset + instruction->size;
	switch (instruction->id) {
	case X86_INS_RET:
		*next = 0;
		if (instruction->detail->x86.op_count)
			return fail(flow, "ret at ", place(flow, offset, where),
				    " takes arguments away");
		if (flow->exits->count == FUNCTION_EXITS_MAX)
			return fail(flow, "it returns by too many instructions", "", "");
		flow->exits->offsets[flow->exits->count++] = offset;
		return true;
	case X86_INS_RETF:
	case X86_INS_RETFQ:
	case X86_INS_IRET:
	case X86_INS_IRETD:
	case X86_INS_IRETQ:
	case X86_INS_LJMP:
		return fail(flow, "far jump at ", place(flow, offset, where), "");
	case X86_INS_UD2:
	case X86_INS_HLT:
	case X86_INS_INT3:
		*next = 0;
		return true;
	case X86_INS_CALL:
		/* Nothing of the function is left: that call doesn't return. */
		if (*next == flow->source->function_end(flow->source->context, offset))
			*next = 0;
		return true;
	default:
		break;
	}
	if (!instruction_is_in(instruction, X86_GRP_JUMP))
		return true;
	if (instruction->id == X86_INS_JMP)
		*next = 0;
	if (branch_is_direct(instruction, &target))
		return flow_branch(flow, target);
	if (!branch_slot(flow->source, instruction, &slot))
		return fail(flow, "jump at ", place(flow, offset, where), " cannot be followed");
	if (slot.target_offset)
		return flow_branch(flow, slot.target_offset);
	return symbol_never_returns(slot.symbol) ||
	       fail(flow, "it goes on to ", slot.symbol, " of another file");
}

static bool flow_follow(struct flow *flow, uint64_t offset)
{
	char where[24];

	while (offset && flow_visit(flow, offset)) {
		uint64_t next;

		if (flow->visited_count > FLOW_INSTRUCTIONS_MAX)
			return fail(flow, "it is too large to follow", "", "");
		if (!flow_decode(flow, offset))
			return fail(flow, "what is at ", place(flow, offset, where),
				    " cannot be decoded");
		if (!flow_step(flow, offset, &next))
			return false;
		offset = next;
	}
	return true;
}

bool function_exits_find(const struct code_source *source, uint64_t offset,
			 struct function_exits *exits)
{
	struct flow flow = {.source = source, .entry = offset, .exits = exits};
	bool is_followed;

	memset(exits, 0, sizeof(*exits));
	is_followed = (flow_open(&flow) && flow_remember(&flow)) ||
		      fail(&flow, "no disassembler", "", "");
	if (is_followed)
		flow.branches[flow.branch_count++] = offset;
	while (is_followed && flow.branch_count)
		is_followed = flow_follow(&flow, flow.branches[--flow.branch_count]);
	flow_close(&flow);
	if (is_followed && !exits->count)
		is_followed = fail(&flow, "it never returns", "", "");
	if (!is_followed)
		exits->count = 0;
	qsort(exits->offsets, exits->count, sizeof(exits->offsets[0]), offset_compare);
	return is_followed;
}

/* ---- Passing on ---- */

/* The function behind an entry of the procedure linkage table; what is none is itself. */
static uint64_t flow_see_through(struct flow *flow, uint64_t offset)
{
	uint64_t at = offset;
	struct code_slot slot;

	for (int i = 0; i < 2 && flow_decode(flow, at); i++) {
		const cs_insn *instruction = flow->instruction;

		if (instruction->id == X86_INS_JMP)
			return branch_slot(flow->source, instruction, &slot) && slot.target_offset
				       ? slot.target_offset
				       : offset;
		if (instruction->id != X86_INS_ENDBR64)
			break;
		at += instruction->size;
	}
	return offset;
}

/* Of the jump or call: the function it leads to, 0 when that isn't known. */
static uint64_t flow_target(struct flow *flow)
{
	struct code_slot slot;
	uint64_t target;

	if (branch_is_direct(flow->instruction, &target))
		return flow_see_through(flow, target);
	return branch_slot(flow->source, flow->instruction, &slot) ? slot.target_offset : 0;
}

/* Of the instructions that hand arguments on unchanged: `mov`, and `xor` of a register by itself.
 */
static bool instruction_passes_on(const cs_insn *instruction)
{
	const cs_x86_op *operands = instruction->detail->x86.operands;

	switch (instruction->id) {
	case X86_INS_ENDBR64:
	case X86_INS_MOV:
	case X86_INS_NOP:
		return true;
	case X86_INS_XOR:
		return operands[0].type == X86_OP_REG && operands[1].type == X86_OP_REG &&
		       operands[0].reg == operands[1].reg;
	default:
		return false;
	}
}

uint64_t function_passes_on_to(const struct code_source *source, uint64_t offset)
{
	struct flow flow = {.source = source, .entry = offset};
	uint64_t at = offset, target = 0;

	if (flow_open(&flow)) {
		for (int i = 0; i < PASSING_INSTRUCTIONS_MAX && flow_decode(&flow, at) &&
				instruction_passes_on(flow.instruction);
		     i++)
			at += flow.instruction->size;
		if (flow_decode(&flow, at) && flow.instruction->id == X86_INS_JMP)
			target = flow_target(&flow);
	}
	flow_close(&flow);
	return target == offset ? 0 : target;
}

/* ---- Freeing through another function ---- */

static bool instruction_tests_first_argument(const cs_insn *instruction)
{
	const cs_x86 *x86 = &instruction->detail->x86;

	return instruction->id == X86_INS_TEST && x86->op_count == 2 &&
	       x86->operands[0].type == X86_OP_REG && x86->operands[0].reg == X86_REG_RDI &&
	       x86->operands[1].type == X86_OP_REG && x86->operands[1].reg == X86_REG_RDI;
}

/* Where a non-null first argument goes on when the function begins with a check of it. */
static uint64_t flow_pass_null_check(struct flow *flow, uint64_t offset)
{
	uint64_t at = offset, target;

	if (flow_decode(flow, at) && flow->instruction->id == X86_INS_ENDBR64)
		at += flow->instruction->size;
	if (!flow_decode(flow, at) || !instruction_tests_first_argument(flow->instruction))
		return offset;
	at += flow->instruction->size;
	if (!flow_decode(flow, at) || !branch_is_direct(flow->instruction, &target))
		return offset;
	if (flow->instruction->id == X86_INS_JE)
		return at + flow->instruction->size;
	return flow->instruction->id == X86_INS_JNE ? target : offset;
}

static bool is_among(uint64_t offset, const uint64_t *offsets, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (offsets[i] == offset)
			return true;
	return false;
}

/* Follows one way to its end, which is a target, or false. */
static bool flow_follow_free(struct flow *flow, uint64_t offset, const uint64_t *targets,
			     size_t count, uint64_t *reached)
{
	while (flow_visit(flow, offset)) {
		uint64_t next, branch, target = 0;
		bool is_jump, is_last, is_branch;

		if (flow->visited_count > FREEING_INSTRUCTIONS_MAX || !flow_decode(flow, offset) ||
		    flow->instruction->id == X86_INS_RET)
			return false;
		next = offset + flow->instruction->size;
		is_jump = instruction_is_in(flow->instruction, X86_GRP_JUMP);
		is_last = flow->instruction->id == X86_INS_JMP;
		is_branch = is_jump && branch_is_direct(flow->instruction, &branch);
		if (is_last || flow->instruction->id == X86_INS_CALL)
			target = flow_target(flow);
		if (target && is_among(target, targets, count)) {
			*reached = target;
			return true;
		}
		if (is_jump && (!is_branch || !flow_branch(flow, branch)))
			return false;
		if (is_last)
			return true;
		offset = next;
	}
	return true;
}

uint64_t function_frees_through(const struct code_source *source, uint64_t offset,
				const uint64_t *targets, size_t count)
{
	struct function_exits unused = {0};
	struct flow flow = {.source = source, .entry = offset, .exits = &unused};
	uint64_t reached = 0;
	bool is_followed = flow_open(&flow) && flow_remember(&flow);

	if (is_followed)
		flow.branches[flow.branch_count++] = flow_pass_null_check(&flow, offset);
	while (is_followed && flow.branch_count)
		is_followed = flow_follow_free(&flow, flow.branches[--flow.branch_count], targets,
					       count, &reached);
	flow_close(&flow);
	return is_followed ? reached : 0;
}
