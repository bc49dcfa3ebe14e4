/* SPDX-License-Identifier: Apache-2.0 */
/* The code of an ELF file, for those who follow it. Hostile input. */
#ifndef MEMWATCH_PROBE_ELF_CODE_H
#define MEMWATCH_PROBE_ELF_CODE_H

#include "probe/code_source.h"
#include "probe/elf_program.h"

struct elf_code;

/* Borrows the program, which must stay open. NULL: out of memory. */
struct elf_code *elf_code_new(const struct elf_program *program);
void elf_code_free(struct elf_code *code);

struct code_source elf_code_source(struct elf_code *code);

#endif
