/* SPDX-License-Identifier: Apache-2.0 */
/* The general registers of x86-64, numbered: those that bring arguments first, then %rax. */
#ifndef MEMWATCH_PROBE_X86_REGISTER_H
#define MEMWATCH_PROBE_X86_REGISTER_H

#include <capstone/capstone.h>
#include <stdbool.h>

#define X86_REGISTERS 16

/* The number of the register that this one is, or is a part of; -1: none of them. */
int x86_register_number(unsigned reg);
/* The number of an operand that is a whole 64-bit register, or -1. */
int x86_register_whole(const cs_x86_op *operand);
bool x86_register_is_stack_pointer(unsigned reg);
/* "rdi" of 0. */
const char *x86_register_name(csh disassembler, int number);

#endif
