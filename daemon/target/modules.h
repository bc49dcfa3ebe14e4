/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The modules of a target that have been looked into, and the probes in them. For this room alone;
 * under the lock.
 */
#ifndef MEMWATCH_TARGET_MODULES_H
#define MEMWATCH_TARGET_MODULES_H

#include "probe/plan.h"
#include "target/table.h"

#include <errno.h>
#include <sys/stat.h>

struct target_module {
	struct module *module;   /* held */
	struct probe_plan plan;  /* cookies with the slot */
	struct probe_link *link; /* NULL: there is nothing to probe in it */
	dev_t device;            /* of the file that has the probes */
	ino_t inode;
};

/* The file through which the target maps a module now: copies of a file are one module. */
int target_module_stat(const struct target *target, const struct module *module,
		       struct stat *status);
/* Whether it has been seen to: it is probed, or known to hold nothing to probe. */
bool target_has_module(const struct target *target, const struct module *module);

/* Takes over what *probed holds, unless it fails: 0 or -ENOMEM. */
int target_module_add(struct target *target, const struct target_module *probed);
void target_module_release(struct target_table *table, struct target_module *probed);
void target_modules_release(struct target_table *table, struct target *target);
/*
 * Takes out what isn't mapped any more; probed modules only when there are many of them, or all
 * are asked for.
 */
void target_modules_release_unmapped(struct target_table *table, struct target *target,
				     bool is_all);
/* Contract probes that it has. */
size_t target_contract_points(const struct target *target);
/*
 * Fills in the target's probe counts and allocators: what its own mappings carry. Right after an
 * exec that is little: the probes that wait for the new program to map the old one's library again
 * don't count.
 */
void target_modules_describe(struct target *target);

#endif
