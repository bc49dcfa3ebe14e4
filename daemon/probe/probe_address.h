/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chooses where in a function a uprobe goes. The kernel emulates push, nop, jmp, jcc and call; any
 * other instruction costs an out-of-line single step, 8 to 30 times as much. So the probe goes on
 * the first emulated instruction that every call passes exactly once and where registers that it
 * can look at still hold the arguments; else on the entry.
 */
#ifndef MEMWATCH_PROBE_PROBE_ADDRESS_H
#define MEMWATCH_PROBE_PROBE_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Numbers of registers beyond those that bring arguments 0 to 5; as in a cookie (bpf/record.h). */
enum {
	PROBE_REGISTER_R9 = 5, /* probes don't look at it for another argument */
	PROBE_REGISTER_RAX = 6,
};

struct probe_request {
	unsigned argument_count; /* how many arguments, counted from the first, the probe reads */
	/*
	 * The return address must be at (%rsp) there, as at the entry (return probes, callers): no
	 * push, sub or other change of %rsp may lie before it.
	 */
	bool needs_return;
	/*
	 * Prefer an address behind a check that returns early for a null first argument, so that
	 * free(NULL) costs nothing; calls with a non-null argument must all pass it.
	 */
	bool skips_null;
	/* Each argument must still be in its own register, not just in some. */
	bool arguments_stay;
};

struct probe_address {
	uint32_t offset_bytes;   /* from the function's first instruction */
	bool is_emulated;        /* false: the entry, single-stepped */
	bool is_past_null_check; /* calls with a null first argument don't reach it */
	/* Where each argument is there: 0 to 5 for rdi, rsi, rdx, rcx, r8, r9, or 6 for rax. */
	uint8_t registers[6];
	char reason[96]; /* in words, for doctor: "push %rbp after the null check of %rdi" */
};

/*
 * code: the function's first bytes (x86-64 machine code; 64 are plenty), code_size of them. Never
 * fails: whatever cannot be decoded gives the entry with the reason.
 */
void probe_address_choose(const uint8_t *code, size_t code_size,
			  const struct probe_request *request, struct probe_address *chosen);

#endif
