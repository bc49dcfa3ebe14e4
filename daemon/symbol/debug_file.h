/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the symbols of a stripped file are: in a debug file of this host's distribution, or packed
 * into the file itself.
 */
#ifndef MEMWATCH_SYMBOL_DEBUG_FILE_H
#define MEMWATCH_SYMBOL_DEBUG_FILE_H

#include "symbol/elf_file.h"

/*
 * Opens the debug file of an ELF file, as distributions install it beneath directory
 * (/usr/lib/debug): by build-id, else by .gnu_debuglink, whose checksum then has to be right; path
 * is where the file itself lies. Nowhere else is looked: what a watched program could have put
 * there is not opened. Returns a descriptor, -ENOENT, or another -errno.
 */
int debug_file_open(int fd, const struct elf_layout *layout, const char *path,
		    const char *directory);

/*
 * Unpacks .gnu_debugdata, an xz-compressed ELF file with the functions that .dynsym lacks, of at
 * most bytes_max. Returns a descriptor of memory, -ENOENT when there is none, -E2BIG, or another
 * -errno.
 */
int debug_file_unpack(int fd, uint64_t bytes_max);

#endif
