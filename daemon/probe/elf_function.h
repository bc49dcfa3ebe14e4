/* SPDX-License-Identifier: Apache-2.0 */
/* Where functions are defined in an ELF file, from .symtab and .dynsym. Hostile input. */
#ifndef MEMWATCH_PROBE_ELF_FUNCTION_H
#define MEMWATCH_PROBE_ELF_FUNCTION_H

#include <stddef.h>
#include <stdint.h>

struct elf_program;

struct elf_function {
	uint64_t file_offset; /* of its first instruction; 0: not defined here */
	uint64_t size_bytes;  /* as the symbol says, cut to the segment's end; may be 0 */
};

/*
 * Looks up the names of functions that this file defines (STT_FUNC, not undefined; of versioned
 * symbols the default version wins) and converts their addresses to file offsets by PT_LOAD.
 * found[i] belongs to names[i]. Returns how many were found, or -ENOEXEC, -errno.
 */
int elf_functions_find_in(const struct elf_program *program, const char *const *names,
			  size_t name_count, struct elf_function *found);

/* The same for a file that is not open yet. */
int elf_functions_find(int fd, const char *const *names, size_t name_count,
		       struct elf_function *found);

#endif
