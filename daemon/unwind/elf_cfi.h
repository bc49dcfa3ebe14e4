/* SPDX-License-Identifier: Apache-2.0 */
/* What of an ELF file matters for unwind tables: where its code is, and its call frame information.
 */
#ifndef MEMWATCH_UNWIND_ELF_CFI_H
#define MEMWATCH_UNWIND_ELF_CFI_H

#include "unwind/cfi_entry.h"

#include <libelf.h>

#define ELF_CFI_SEGMENTS_MAX 16

struct elf_cfi {
	Elf *elf;
	uint64_t entry; /* where the program starts */
	/* Executable segments, link addresses. */
	struct elf_cfi_segment {
		uint64_t start, end;
	} segments[ELF_CFI_SEGMENTS_MAX];
	size_t segment_count;
	/* bytes NULL: the file has none. .eh_frame is found without section headers, too. */
	struct cfi_section eh_frame, debug_frame;
};

/*
 * Reads what is there from a libelf handle, which it takes over. Returns 0; -ENOEXEC when it is no
 * file for this machine, -E2BIG when a section is larger than any real one. elf_cfi_close() ends
 * it, also after an error.
 */
int elf_cfi_open(Elf *elf, struct elf_cfi *cfi);
void elf_cfi_close(struct elf_cfi *cfi);

/*
 * What the file has of a loaded segment from an address on, size_max bytes of it at most; bytes
 * NULL where it has nothing. Lives as long as cfi.
 */
struct cfi_section elf_cfi_read(const struct elf_cfi *cfi, uint64_t address, uint64_t size_max);

/* Whether all of [start, end) is code. */
bool elf_cfi_is_code(const struct elf_cfi *cfi, uint64_t start, uint64_t end);

#endif
