/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every reader of a module's file needs: its identity, its code segments and its sections.
 * Nothing is ever mapped: a file that its owner truncates under us would kill us by SIGBUS, and one
 * that they rewrite would change between check and use. libelf reads by pread into memory.
 */
#ifndef MEMWATCH_SYMBOL_ELF_FILE_H
#define MEMWATCH_SYMBOL_ELF_FILE_H

#include <libelf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define ELF_CODE_SEGMENTS_MAX  16 /* linkers make one, hugepage-aligned builds a few */
#define ELF_BUILD_ID_MAX_BYTES 64 /* SHA-1 has 20, the longest in use 32 */

/* An executable PT_LOAD segment. */
struct elf_code_segment {
	uint64_t file_offset;
	uint64_t file_bytes;
	uint64_t address;
};

struct elf_layout {
	int word_bits; /* 32 or 64 */
	uint64_t file_bytes;
	char build_id[2 * ELF_BUILD_ID_MAX_BYTES + 1]; /* hex, "" when there is none */
	size_t segment_count;
	struct elf_code_segment segments[ELF_CODE_SEGMENTS_MAX];
};

/* A file with names for a module: its own, or one that completes it. */
struct symbol_file {
	int fd; /* -1: there is none */
	uint64_t bytes;
};

/* Returns 0, -ENOEXEC when fd is no ELF file that can be loaded, or another -errno. */
int elf_layout_read(int fd, struct elf_layout *layout);

/* The address that the code at a file offset is linked at; -ENOENT when no code lies there. */
int elf_layout_address(const struct elf_layout *layout, uint64_t file_offset, uint64_t *address);
/* The same of the first byte of a mapping, which may begin before the code that lies in it. */
int elf_layout_mapping_address(const struct elf_layout *layout, uint64_t file_offset,
			       uint64_t file_bytes, uint64_t *address);
/* The code segment that holds an address, or NULL. */
const struct elf_code_segment *elf_layout_segment(const struct elf_layout *layout,
						  uint64_t address);

/* A libelf handle for reading headers and sections; NULL when it is no ELF file. elf_end() ends it.
 */
Elf *elf_file_open(int fd);
/* The same for a file's image in memory, which has to outlive the handle. */
Elf *elf_image_open(char *image, size_t image_bytes);

/* Reads exactly size bytes; 0, or -errno (-EIO when the file is shorter). */
int elf_file_read(int fd, void *buffer, size_t size, uint64_t offset);
/* Appends to a file of ours. 0 or -errno. */
int elf_file_write(int fd, const void *buffer, size_t size);

/* A section that lies in the file, as it lies there. */
struct elf_section {
	uint64_t offset;
	uint64_t bytes;
	bool is_compressed;
};

/*
 * The first section of that name. Returns 0, -ENOENT (none, or none of whose bytes the file has),
 * -ENOEXEC when it is no ELF file.
 */
int elf_file_find_section(const struct symbol_file *file, const char *name,
			  struct elf_section *section);
bool elf_file_has_section(const struct symbol_file *file, const char *name);
/* The build-id that a section states, for files whose segments have no contents. 0 or -ENOENT. */
int elf_file_read_build_id(const struct symbol_file *file,
			   char build_id[static 2 * ELF_BUILD_ID_MAX_BYTES + 1]);

#endif
