/* SPDX-License-Identifier: Apache-2.0 */
/* Opening the file behind a mapping of another process, whatever it may be. */
#ifndef MEMWATCH_SYMBOL_MAPPED_FILE_H
#define MEMWATCH_SYMBOL_MAPPED_FILE_H

#include "symbol/address_space.h"

/*
 * proc_fd is the target's /proc/PID. Returns a descriptor that is good for pread and close-on-exec,
 * or -errno; -ENOEXEC for what is no regular file.
 */
int mapped_file_open(int proc_fd, const struct address_range *range);

#endif
