/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files that a program will run: its executable and the libraries that its loader names.
 * Mapped into a process beforehand they are probed, and their unwind tables known, before the
 * program's first instruction; and with the execution these mappings are gone.
 */
#ifndef MEMWATCH_CLI_LAUNCH_FILES_H
#define MEMWATCH_CLI_LAUNCH_FILES_H

#include <stddef.h>

/* name as execvp takes it. What can't be found or mapped is left out: it is probed as it comes. */
void launch_files_map(const char *name);

/* One line of what `ld.so --list` says: the length of the path in it, which *path points to; 0:
 * none.
 */
size_t launch_files_parse_line(const char *line, const char **path);
/* The interpreter that a script's first bytes name ("#!"): its length, *path points to it; 0: none.
 */
size_t launch_files_parse_script(const char *text, size_t bytes, const char **path);

#endif
