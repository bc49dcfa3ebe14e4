/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The separate debug file of a module, which distributions and build systems split off: found by
 * build-id below /usr/lib/debug, or by the name that the module's .gnu_debuglink states.
 */
#ifndef MEMWATCH_SYMBOL_DEBUG_FILE_H
#define MEMWATCH_SYMBOL_DEBUG_FILE_H

#include "symbol/elf_file.h"

/* Whose debug file is wanted. */
struct debug_file_wanted {
	struct symbol_file file; /* the module's own */
	const char *build_id;    /* of it; "" when it has none */
	const char *path;        /* of it, as the process has it that mapped it */
	int root_fd;             /* that process's root directory; -1: ours */
	uid_t owner;             /* of the module's own file */
};

/*
 * Opens it; the caller closes it. It is looked for in the process's root directory and then in
 * ours. One that belongs to somebody else than root or the module's owner, or that others may
 * write, isn't believed: modules are shared by processes of several users. One that not everybody
 * may read isn't either, unless it is the owner's. A debug file that has a build-id needs the
 * module's, if that has one; else .gnu_debuglink's checksum must be right. Returns 0, or -ENOENT
 * with a descriptor of -1.
 */
int debug_file_open(const struct debug_file_wanted *wanted, struct symbol_file *debug);

/*
 * Takes .gnu_debuglink apart: a file's name, without folders, and the checksum of its bytes. name
 * points into bytes. Returns 0 or -EINVAL. Pure; has a fuzz target.
 */
int debug_link_parse(const char *bytes, size_t size, const char **name, uint32_t *checksum);

#endif
