/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The separate debug file of a module, which distributions and build systems split off: found by
 * build-id below /usr/lib/debug, or by the name that the module's .gnu_debuglink states.
 */
#ifndef MEMWATCH_SYMBOL_DEBUG_FILE_H
#define MEMWATCH_SYMBOL_DEBUG_FILE_H

#include "symbol/elf_file.h"

#include <limits.h>

#define DEBUG_FILE_DIRECTORY "/usr/lib/debug"

#define DEBUG_FILE_BUILD_ID_PATH_BYTES \
	(sizeof(DEBUG_FILE_DIRECTORY "/.build-id/xx/.debug") + (size_t)2 * ELF_BUILD_ID_MAX_BYTES)

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
 * Opens a file of that path below a root directory if it may be believed; whether it is the right
 * one is left to the caller. Returns 0, or -errno with a descriptor of -1.
 */
int debug_file_open_candidate(const struct debug_file_wanted *wanted, int root_fd, const char *path,
			      struct symbol_file *debug);
/* Where the debug file of a build-id of at least two bytes lies. */
void debug_file_build_id_path(const char *build_id,
			      char path[static DEBUG_FILE_BUILD_ID_PATH_BYTES]);

/*
 * Takes .gnu_debuglink apart: a file's name, without folders, and the checksum of its bytes. name
 * points into bytes. Returns 0 or -EINVAL. Pure; has a fuzz target.
 */
int debug_link_parse(const char *bytes, size_t size, const char **name, uint32_t *checksum);

#endif
