/* SPDX-License-Identifier: Apache-2.0 */
/* Where the bytes of one debug section can be read: in the file, or inflated in a file of ours. */
#ifndef MEMWATCH_SYMBOL_DEBUG_SECTION_H
#define MEMWATCH_SYMBOL_DEBUG_SECTION_H

#include "symbol/elf_file.h"

struct debug_section {
	int inflated_fd; /* of an anonymous file, or -1: the bytes lie in the ELF file */
	uint64_t offset;
	uint64_t bytes; /* 0: there is no such section, or it is unreasonable */
};

/*
 * Finds sections by their names. Those that are compressed are inflated one after the other, as
 * they are named, for as long as they have no more than inflated_max bytes together; the rest is
 * taken for missing. Returns 0, or -errno; the sections are valid to read and close either way.
 */
int debug_sections_find(const struct symbol_file *file, uint64_t inflated_max,
			const char *const names[], size_t count, struct debug_section sections[]);
/* Bytes of memory that the inflated ones take. */
uint64_t debug_sections_bytes(const struct debug_section sections[], size_t count);
int debug_section_read(const struct debug_section *section, int fd, void *buffer, size_t size,
		       uint64_t offset);
void debug_section_close(struct debug_section *section);

#endif
