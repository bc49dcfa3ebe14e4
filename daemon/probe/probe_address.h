/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chooses where in a function a uprobe goes. The kernel emulates push, nop, jmp, jcc and call; any
 * other instruction costs an out-of-line single step, 8 to 30 times as much. So the probe goes on
 * the first emulated instruction that every call passes exactly once and where the argument
 * registers still hold the arguments; else on the entry.
 */
#ifndef MEMWATCH_PROBE_PROBE_ADDRESS_H
#define MEMWATCH_PROBE_PROBE_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct probe_address {
	uint32_t offset_bytes;   /* from the function's first instruction */
	bool is_emulated;        /* false: the entry, single-stepped */
	bool is_past_null_check; /* calls with a null first argument don't reach it */
	char reason[96]; /* in words, for doctor: "push %rbp after the null check of %rdi" */
};

/*
 * code: the function's first bytes (x86-64 machine code; 64 are plenty), code_size of them.
 * argument_count: how many of rdi, rsi, rdx, rcx, r8, r9 must still be intact at the probe.
 * needs_return: the return address must be at (%rsp) there, as at the entry (return probes,
 * callers): no push, sub or other change of %rsp may lie before it. skips_null: prefer an address
 * behind a check that returns early for a null first argument, so that free(NULL) costs nothing;
 * calls with a non-null argument must all pass it. Never fails: whatever cannot be decoded gives
 * the entry with the reason.
 */
void probe_address_choose(const uint8_t *code, size_t code_size, unsigned argument_count,
			  bool needs_return, bool skips_null, struct probe_address *chosen);

#endif
