/* SPDX-License-Identifier: Apache-2.0 */
/* Which functions of a file memwatch would probe, where and why: found out here, without a daemon.
 */
#ifndef MEMWATCH_CLI_ALLOCATORS_H
#define MEMWATCH_CLI_ALLOCATORS_H

#include <stdbool.h>

/*
 * Reads the file with the caller's own rights and says on stdout which allocators it brings. An
 * exit code: COMMAND_EXIT_NO, the reason on stderr, when it can't be read or brings none.
 */
int allocators_explain(const char *path, bool is_json);

#endif
