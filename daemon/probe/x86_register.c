/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/x86_register.h"

/* The general registers with all their parts: a write to any changes the whole. */
static const x86_reg register_parts[X86_REGISTERS][5] = {
	{X86_REG_RDI, X86_REG_EDI, X86_REG_DI, X86_REG_DIL},
	{X86_REG_RSI, X86_REG_ESI, X86_REG_SI, X86_REG_SIL},
	{X86_REG_RDX, X86_REG_EDX, X86_REG_DX, X86_REG_DL, X86_REG_DH},
	{X86_REG_RCX, X86_REG_ECX, X86_REG_CX, X86_REG_CL, X86_REG_CH},
	{X86_REG_R8, X86_REG_R8D, X86_REG_R8W, X86_REG_R8B},
	{X86_REG_R9, X86_REG_R9D, X86_REG_R9W, X86_REG_R9B},
	{X86_REG_RAX, X86_REG_EAX, X86_REG_AX, X86_REG_AL, X86_REG_AH},
	{X86_REG_RBX, X86_REG_EBX, X86_REG_BX, X86_REG_BL, X86_REG_BH},
	{X86_REG_RBP, X86_REG_EBP, X86_REG_BP, X86_REG_BPL},
	{X86_REG_RSP, X86_REG_ESP, X86_REG_SP, X86_REG_SPL},
	{X86_REG_R10, X86_REG_R10D, X86_REG_R10W, X86_REG_R10B},
	{X86_REG_R11, X86_REG_R11D, X86_REG_R11W, X86_REG_R11B},
	{X86_REG_R12, X86_REG_R12D, X86_REG_R12W, X86_REG_R12B},
	{X86_REG_R13, X86_REG_R13D, X86_REG_R13W, X86_REG_R13B},
	{X86_REG_R14, X86_REG_R14D, X86_REG_R14W, X86_REG_R14B},
	{X86_REG_R15, X86_REG_R15D, X86_REG_R15W, X86_REG_R15B},
};

int x86_register_number(unsigned reg)
{
	for (int number = 0; number < X86_REGISTERS; number++) {
		for (int part = 0; part < 5; part++) {
			if (reg != X86_REG_INVALID && reg == register_parts[number][part])
				return number;
		}
	}
	return -1;
}

int x86_register_whole(const cs_x86_op *operand)
{
	int number = operand->type == X86_OP_REG ? x86_register_number(operand->reg) : -1;

	return number >= 0 && operand->reg == register_parts[number][0] ? number : -1;
}

bool x86_register_is_stack_pointer(unsigned reg)
{
	return reg == X86_REG_RSP || reg == X86_REG_ESP || reg == X86_REG_SP || reg == X86_REG_SPL;
}

const char *x86_register_name(csh disassembler, int number)
{
	return cs_reg_name(disassembler, register_parts[number][0]);
}
