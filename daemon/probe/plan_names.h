/* SPDX-License-Identifier: Apache-2.0 */
/* Every name of the meaning table, looked up in one file by one walk over its symbols. */
#ifndef MEMWATCH_PROBE_PLAN_NAMES_H
#define MEMWATCH_PROBE_PLAN_NAMES_H

#include "probe/allocator.h"
#include "probe/elf_function.h"
#include "probe/elf_program.h"

struct plan_names {
	const char **names; /* ascending, each once */
	struct elf_function *functions;
	size_t count;
};

/* 0 or -errno; free by plan_names_free() in either case. */
int plan_names_look_up(const struct elf_program *program, struct plan_names *names);
void plan_names_free(struct plan_names *names);

/* The function of a name of the table; NULL: the file doesn't define it. */
const struct elf_function *plan_names_find(const struct plan_names *names, const char *name);

/* Whether the file brings the allocator; of those that are no last resort. */
bool plan_names_provide(const struct plan_names *names, const struct allocator *allocator);

#endif
