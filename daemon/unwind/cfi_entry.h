/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The entries of an .eh_frame or .debug_frame section: CIEs, which hold what functions have in
 * common, and FDEs, one for each function (DWARF 5, 6.4.1; Linux Standard Base 5.0, 10.6).
 */
#ifndef MEMWATCH_UNWIND_CFI_ENTRY_H
#define MEMWATCH_UNWIND_CFI_ENTRY_H

#include "unwind/cfi_reader.h"

struct cfi_section {
	const uint8_t *bytes;
	size_t size;
	uint64_t address; /* that it is linked at */
	bool is_debug_frame;
};

struct cfi_cie {
	uint64_t code_factor;
	int64_t data_factor;
	uint64_t return_register;
	uint8_t address_encoding; /* of the FDE's addresses, DW_EH_PE_* */
	bool has_augmentation_data;
	bool is_signal_frame;
	const uint8_t *program;
	size_t program_size;
};

struct cfi_fde {
	uint64_t start;      /* link addresses */
	uint64_t end;        /* exclusive */
	uint64_t cie_offset; /* in the section */
	struct cfi_cie cie;
	const uint8_t *program;
	size_t program_size;
};

enum cfi_entry_kind {
	CFI_ENTRY_END,
	CFI_ENTRY_CIE,
	CFI_ENTRY_FDE,
	CFI_ENTRY_REFUSED, /* broken, or encoded in a way that isn't known */
};

/* The CIE that was read last: neighbours share it. Zeroed at the start. */
struct cfi_cie_cache {
	bool is_filled, is_good;
	uint64_t offset;
	struct cfi_cie cie;
};

/*
 * Reads the entry at *offset and moves it on to the next one; a section whose entries can't be told
 * apart any more ends there. fde is filled for CFI_ENTRY_FDE alone.
 */
enum cfi_entry_kind cfi_entry_next(const struct cfi_section *section, uint64_t *offset,
				   struct cfi_cie_cache *cache, struct cfi_fde *fde);

/* An address in an encoding (DW_EH_PE_*), as the FDE and DW_CFA_set_loc have it. */
uint64_t cfi_address(const struct cfi_section *section, struct cfi_reader *reader,
		     uint8_t encoding);

#endif
