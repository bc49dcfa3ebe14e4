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
 * Finds .debug_line and .debug_line_str; a compressed one that has more than inflated_max bytes is
 * taken for missing. Returns 0, or -errno; the sections are valid to read and close either way.
 */
int debug_sections_find(const struct symbol_file *file, uint64_t inflated_max,
			struct debug_section *lines, struct debug_section *strings);
int debug_section_read(const struct debug_section *section, int fd, void *buffer, size_t size,
		       uint64_t offset);
void debug_section_close(struct debug_section *section);

#endif
