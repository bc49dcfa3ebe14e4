/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of code that one process compiles at run time, from wherever it states them: its jitdump
 * (see jitdump.h), which is asked first because it knows what was replaced and may know lines, and
 * its perf map (see perf_map.h). Used by one thread at a time.
 */
#ifndef MEMWATCH_SYMBOL_COMPILED_CODE_H
#define MEMWATCH_SYMBOL_COMPILED_CODE_H

#include "symbol/address_space.h"

struct compiled_code;

/* proc_fd is /proc/PID, borrowed; names are kept in the cache. NULL when out of memory. */
struct compiled_code *compiled_code_new(struct module_cache *cache, int proc_fd, pid_t pid);
void compiled_code_free(struct compiled_code *code);

/* The process has a file mapped that goes by the name of a jitdump. */
void compiled_code_add_dump(struct compiled_code *code, const struct address_range *range);

/* 0, or -ENOENT. Strings live as long as the cache. */
int compiled_code_name(struct compiled_code *code, uint64_t address, struct symbol_name *name);

#endif
