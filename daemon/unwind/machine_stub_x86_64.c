/* SPDX-License-Identifier: Apache-2.0 */
#include "unwind/machine.h"

/* What stubs are made of (AMD64 ABI, 5.2; what lld and mold make of it). */
static const struct instruction {
	uint8_t opcode[4];
	uint8_t opcode_bytes, bytes;
	bool is_push, is_jump;
} instructions[] = {
	{.opcode = {0xf3, 0x0f, 0x1e, 0xfa}, .opcode_bytes = 4, .bytes = 4},      /* endbr64 */
	{.opcode = {0x41, 0xbb}, .opcode_bytes = 2, .bytes = 6},                  /* mov $, %r11d */
	{.opcode = {0xff, 0x35}, .opcode_bytes = 2, .bytes = 6, .is_push = true}, /* push (%rip) */
	{.opcode = {0x68}, .opcode_bytes = 1, .bytes = 5, .is_push = true},       /* push $ */
	{.opcode = {0x41, 0x53}, .opcode_bytes = 2, .bytes = 2, .is_push = true}, /* push %r11 */
	{.opcode = {0xff, 0x25}, .opcode_bytes = 2, .bytes = 6, .is_jump = true}, /* jmp *(%rip) */
	{.opcode = {0xe9}, .opcode_bytes = 1, .bytes = 5, .is_jump = true},       /* jmp */
};

static const struct instruction *find_instruction(const uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < sizeof(instructions) / sizeof(instructions[0]); i++)
		if (instructions[i].bytes <= size &&
		    memcmp(bytes, instructions[i].opcode, instructions[i].opcode_bytes) == 0)
			return &instructions[i];
	return NULL;
}

static void add_row(struct machine_stub *stub, size_t offset, uint8_t kind, int32_t cfa_offset,
		    int16_t cfa_addend)
{
	stub->rows[stub->row_count++] = (struct machine_stub_row){
		.offset = offset,
		.rule = {.kind = kind, .cfa_offset = cfa_offset, .cfa_addend = cfa_addend}};
}

/* jmp *(%rip); push $; jmp: one rule describes all of them, as linkers do that describe it. */
static bool read_lazy(const uint8_t *bytes, size_t size, struct machine_stub *stub)
{
	if (size < MACHINE_STUB_ALIGNMENT || bytes[0] != 0xff || bytes[1] != 0x25 ||
	    bytes[6] != 0x68 || bytes[11] != 0xe9)
		return false;
	stub->bytes = MACHINE_STUB_ALIGNMENT;
	add_row(stub, 0, RECORD_UNWIND_PLT, 8, 11);
	return true;
}

bool machine_stub(const uint8_t *bytes, size_t size, struct machine_stub *stub)
{
	const struct instruction *instruction;
	int32_t cfa_offset = 8;
	size_t at = 0;

	*stub = (struct machine_stub){0};
	if (read_lazy(bytes, size, stub))
		return true;
	do {
		instruction = find_instruction(bytes + at, size - at);
		if (!instruction || stub->row_count == MACHINE_STUB_ROWS_MAX)
			return false;
		/* The first of all is jumped to, with what was to be found pushed already. */
		if (!at && instruction->opcode[1] == 0x35)
			cfa_offset += 8;
		if (!at)
			add_row(stub, 0, RECORD_UNWIND_STACK_POINTER, cfa_offset, 0);
		at += instruction->bytes;
		if (instruction->is_push) {
			cfa_offset += 8;
			add_row(stub, at, RECORD_UNWIND_STACK_POINTER, cfa_offset, 0);
		}
	} while (!instruction->is_jump);
	/* A jump of its own is at home in every function. */
	if (instruction->opcode[0] == 0xe9 && stub->row_count == 1)
		return false;
	stub->bytes = (at + MACHINE_STUB_ALIGNMENT - 1) & ~(size_t)(MACHINE_STUB_ALIGNMENT - 1);
	return stub->bytes <= size;
}
