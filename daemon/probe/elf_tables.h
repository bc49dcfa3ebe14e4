/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tables of a native 64-bit ELF file, read by pread and never mapped: whoever can write to the
 * file could cut it short under a mapping. Hostile input: whatever is handed out lies in the file.
 */
#ifndef MEMWATCH_PROBE_ELF_TABLES_H
#define MEMWATCH_PROBE_ELF_TABLES_H

#include <elf.h>
#include <stddef.h>
#include <stdint.h>

struct elf_tables {
	int fd; /* borrowed */
	uint64_t file_bytes;
	Elf64_Phdr *segments;
	size_t segment_count;
	Elf64_Shdr *sections;
	size_t section_count;
	char *section_names; /* ends with a NUL of ours */
	size_t section_names_bytes;
};

/* 0; -ENOEXEC when it is no executable or library of this machine; other -errno. */
int elf_tables_open(int fd, struct elf_tables *tables);
/* Also after a failed open. */
void elf_tables_close(struct elf_tables *tables);

/* Reads all of the bytes. 0, -ENOEXEC when they are not in the file, other -errno. */
int elf_tables_read(const struct elf_tables *tables, uint64_t offset, void *buffer, size_t bytes);
/* The first section of a name and type that is as a whole in the file, or NULL. */
const Elf64_Shdr *elf_tables_section(const struct elf_tables *tables, const char *name,
				     uint32_t type);
/*
 * Where the file holds the bytes that are loaded at an address, by a segment that has all of the
 * flags (PF_*). 0: nowhere.
 */
uint64_t elf_tables_file_offset(const struct elf_tables *tables, uint64_t address, size_t bytes,
				uint32_t flags);

#endif
