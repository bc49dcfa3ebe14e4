/* SPDX-License-Identifier: Apache-2.0 */
/* An open ELF file of this machine: its headers, and bounded reads. Hostile input. */
#ifndef MEMWATCH_PROBE_ELF_PROGRAM_H
#define MEMWATCH_PROBE_ELF_PROGRAM_H

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct elf_program {
	int fd; /* borrowed */
	uint64_t file_bytes;
	Elf64_Ehdr header;
	Elf64_Phdr *segments; /* header.e_phnum */
	Elf64_Shdr *sections; /* header.e_shnum */
	char *section_names;  /* ends with a NUL of ours; NULL: not read */
	size_t section_names_bytes;
};

/* 0, -ENOEXEC when it is no 64-bit program or library of this machine, or -errno. */
int elf_program_open(int fd, struct elf_program *program);
void elf_program_close(struct elf_program *program);

/* Reads all of it, or fails: -ENOEXEC beyond the file's end, or -errno. */
int elf_program_read(const struct elf_program *program, uint64_t offset, void *buffer,
		     size_t bytes);

/* The first of its type, NULL: none. */
const Elf64_Shdr *elf_program_section(const struct elf_program *program, uint32_t type);
/* For elf_program_named_section(). 0, -ENOEXEC, -EFBIG when no real file has as many, -errno. */
int elf_program_read_section_names(struct elf_program *program);
/* The first of a name and type that is as a whole in the file, not compressed; NULL: none. */
const Elf64_Shdr *elf_program_named_section(const struct elf_program *program, const char *name,
					    uint32_t type);
/* 0, -ENOEXEC when it is not within the file, -EFBIG when no real one is that large. */
int elf_program_check_section(const struct elf_program *program, const Elf64_Shdr *section);

/* The segment that is loaded at the address; NULL: none. */
const Elf64_Phdr *elf_program_segment_at(const struct elf_program *program, uint64_t address);
/* The executable segment that holds the file offset; NULL: none. */
const Elf64_Phdr *elf_program_code_segment(const struct elf_program *program, uint64_t offset);
/*
 * The file offset of the code at an address, 0 when there is none; left_bytes (may be NULL): how
 * much of its segment is left from there on.
 */
uint64_t elf_program_code_offset(const struct elf_program *program, uint64_t address,
				 uint64_t *left_bytes);

/*
 * Where the file holds the bytes that are loaded at an address, by a segment that has all of the
 * flags (PF_*). 0: nowhere.
 */
uint64_t elf_program_file_offset(const struct elf_program *program, uint64_t address, size_t bytes,
				 uint32_t flags);

/* What the dynamic section says of the file as a whole. */
struct elf_program_kind {
	bool has_interpreter; /* a dynamically linked executable, or libc itself */
	bool is_library;      /* it has a name of its own (DT_SONAME) */
	bool needs_libraries; /* DT_NEEDED */
	bool is_program;      /* position-independent, but no library (DF_1_PIE) */
	bool has_symbols;     /* .symtab */
};

struct elf_program_kind elf_program_kind(const struct elf_program *program);

#endif
