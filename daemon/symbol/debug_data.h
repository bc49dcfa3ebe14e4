/* SPDX-License-Identifier: Apache-2.0 */
/*
 * .gnu_debugdata: the symbol table that a stripped file keeps, as a small ELF file compressed by
 * xz (Fedora's and others' "mini debug information").
 */
#ifndef MEMWATCH_SYMBOL_DEBUG_DATA_H
#define MEMWATCH_SYMBOL_DEBUG_DATA_H

#include "symbol/elf_file.h"

/*
 * Unpacks it into an anonymous file, which the caller closes. What has more than bytes_max bytes
 * unpacked is refused. Returns 0 and *file; -ENOENT when there is none, -EFBIG, -ENOEXEC when it is
 * damaged, other -errno; file->fd is -1 then.
 */
int debug_data_unpack(const struct symbol_file *packed, uint64_t bytes_max,
		      struct symbol_file *file);

#endif
