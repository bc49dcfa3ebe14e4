/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening files by names that others choose. A file is first opened as a mere place (O_PATH), which
 * neither blocks nor has side effects as opening a FIFO or a device would have; only a regular file
 * is then opened for reading.
 */
#ifndef MEMWATCH_SYMBOL_FILE_PLACE_H
#define MEMWATCH_SYMBOL_FILE_PLACE_H

#include <stdbool.h>
#include <sys/stat.h>

/*
 * The place of a path below a root directory, out of which no symbolic link leads. Returns a
 * descriptor that is good for fstat() and file_place_read(), or -errno.
 */
int file_place_in_root(int root_fd, const char *path);
/* Opens the regular file at a place, whose status is filled in. A descriptor, -ENOEXEC or -errno.
 */
int file_place_read(int place_fd, struct stat *status);

/*
 * Whether a file belongs to root or to the user of a process (proc_fd is /proc/PID). Of a program
 * that its user may not trace, what belongs to root alone is believed.
 */
bool file_place_is_of_process(int proc_fd, const struct stat *status);

#endif
