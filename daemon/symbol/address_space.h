/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a process has mapped where: from its /proc/PID/maps, kept after the process has died, so
 * that an address it once used still means the same (module, file offset). Files are opened through
 * /proc/PID/map_files, which works for deleted files and for other mount namespaces, else through
 * /proc/PID/root.
 *
 * Threads: an address space is used by one thread at a time.
 */
#ifndef MEMWATCH_SYMBOL_ADDRESS_SPACE_H
#define MEMWATCH_SYMBOL_ADDRESS_SPACE_H

#include "symbol/code_ranges.h"
#include "symbol/module.h"

/* One line of /proc/PID/maps. */
struct address_range {
	uint64_t start; /* inclusive */
	uint64_t end;   /* exclusive */
	uint64_t file_offset;
	uint64_t inode;
	uint32_t device_major, device_minor;
	bool is_readable, is_writable, is_executable, is_shared;
	bool is_deleted;
	const char *path; /* "" when anonymous; "[heap]", "[stack]", "[vdso]"… as the kernel says */
};

/*
 * Parses one line of /proc/PID/maps (no newline; it is changed: path points into it, with the
 * kernel's \012-style escapes decoded and a trailing " (deleted)" cut off).
 * Returns 0, or -EINVAL for a line that is none. Pure; has a fuzz target.
 */
int address_range_parse(char *line, struct address_range *range);

struct address_space;

struct address_space *address_space_new(pid_t pid, struct module_cache *cache);
void address_space_free(struct address_space *space);

/*
 * Reads /proc/PID/maps again and opens modules of executable file mappings not seen before.
 * Ranges that are gone are kept until something else is mapped over them (stacks taken before a
 * dlclose stay readable). Returns 0; -ESRCH when the process is gone (what was known stays);
 * other -errno. Files that cannot be opened are counted, see address_space_unreadable().
 */
int address_space_refresh(struct address_space *space);
/* Whether code was known to be there, in a file or not, when it was read last. */
bool address_space_has_code(const struct address_space *space, uint64_t address);
/* Executable file mappings whose file could not be opened or is no ELF file. */
size_t address_space_unreadable(const struct address_space *space);

/*
 * The module and file offset of a code address. *module is borrowed and lives as long as the space.
 * Returns 0, or -ENOENT when neither an executable file mapping nor the vDSO covers it (JIT code…).
 */
int address_space_resolve(const struct address_space *space, uint64_t address,
			  struct module **module, uint64_t *file_offset);

/*
 * Names code that lies in no file, as its process states it (see compiled_code.h): function, and
 * perhaps file and line. Strings live as long as the module cache. 0 or -ENOENT.
 */
int address_space_name_code(struct address_space *space, uint64_t address,
			    struct symbol_name *name);

/*
 * The other way round: where that byte of the module is mapped executable now, the first of such
 * places. Returns 0 or -ENOENT.
 */
int address_space_find(const struct address_space *space, const struct module *module,
		       uint64_t file_offset, uint64_t *address);

/* Code that is mapped now. */
struct address_space_code {
	uint64_t start; /* inclusive */
	uint64_t end;   /* exclusive */
	uint64_t file_offset;
	struct module *module; /* borrowed; NULL: in no file, as JIT compilers make it */
};

/* The code mapped as of the last refresh, by address: fills in up to max entries, returns how many.
 */
size_t address_space_code(const struct address_space *space, struct address_space_code *code,
			  size_t max);

/* A file with code, mapped now. Copies of a file are one module, but probes go into each. */
struct address_space_file {
	struct mapped_file_id id;
	struct module *module;
};

/* The files mapped executable as of the last refresh, each once. Borrowed, until the next one. */
size_t address_space_file_count(const struct address_space *space);
const struct address_space_file *address_space_file(const struct address_space *space,
						    size_t index);
/* Whether it is among them. */
bool address_space_has_file(const struct address_space *space, const struct mapped_file_id *id,
			    const struct module *module);

/*
 * A path under /proc/PID by which the kernel opens a file as this process has it mapped now
 * (/proc/PID/map_files/START-END), for attaching probes. Returns 0, -ENOENT, -ENAMETOOLONG.
 */
int address_space_file_proc_path(const struct address_space *space, const struct mapped_file_id *id,
				 char *path, size_t path_size);

#endif
