/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The supplementary file that debug information refers to for what it shares with others, as dwz
 * makes it of a package's debug files: the section .gnu_debugaltlink, or .debug_sup in DWARF 5,
 * states its path and its build-id.
 */
#ifndef MEMWATCH_SYMBOL_DEBUG_SUPPLEMENT_H
#define MEMWATCH_SYMBOL_DEBUG_SUPPLEMENT_H

#include "symbol/debug_file.h"

struct debug_supplement_link {
	char path[PATH_MAX];                     /* "" in the supplementary file itself */
	char id[2 * ELF_BUILD_ID_MAX_BYTES + 1]; /* hex */
};

/* What debug information says of its supplementary file. 0; -ENOENT: it has none; -EINVAL. */
int debug_supplement_read_link(const struct symbol_file *file, struct debug_supplement_link *link);

/*
 * Opens the file of a link that debug information has; the caller closes it. It is looked for by
 * its build-id and by its path, under the same conditions as a debug file (debug_file.h), and has
 * to have that build-id. wanted->file is the file with the debug information. Returns 0, or -ENOENT
 * with a descriptor of -1.
 */
int debug_supplement_open(const struct debug_file_wanted *wanted,
			  const struct debug_supplement_link *link, struct symbol_file *supplement);

/* Whether a file has that build-id, which a supplementary file of DWARF 5 has in its .debug_sup. */
bool debug_supplement_has_id(const struct symbol_file *file, const char *id);

/* The bytes of either section. 0 or -EINVAL. Pure; have a fuzz target. */
int debug_supplement_parse_alt_link(const char *bytes, size_t size,
				    struct debug_supplement_link *link);
int debug_supplement_parse_section(const char *bytes, size_t size,
				   struct debug_supplement_link *link);

#endif
