/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/session_call.h"

#include "record.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>

int session_call_resolve(struct bpf_program *program, int32_t type_id)
{
	size_t count = bpf_program__insn_cnt(program);
	struct bpf_insn *instructions = calloc(count, sizeof(*instructions));
	int error;

	if (!instructions)
		return -ENOMEM;
	memcpy(instructions, bpf_program__insns(program), count * sizeof(*instructions));
	for (size_t i = 0; i < count; i++) {
		struct bpf_insn *instruction = &instructions[i];

		if (instruction->code != (BPF_JMP | BPF_CALL) || instruction->src_reg ||
		    instruction->imm != RECORD_SESSION_IS_RETURN)
			continue;
		instruction->src_reg = BPF_PSEUDO_KFUNC_CALL;
		instruction->imm = type_id;
	}
	error = bpf_program__set_insns(program, instructions, count);
	free(instructions);
	return error;
}
