/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of the target table, shared by the files of this room alone. */
#ifndef MEMWATCH_TARGET_TABLE_H
#define MEMWATCH_TARGET_TABLE_H

#include "target/debugged.h"
#include "target/seccomp_trial.h"
#include "target/target.h"

struct target_table {
	struct probe_object *object;
	struct module_cache *module_cache;
	const struct probe_backend *backend;
	struct target **slots;
	bool *is_draining; /* of each slot: probes that name it are still on their way out */
	size_t slot_count;
	uint64_t last_lease_id;
	struct seccomp_trial seccomp;
	struct unwinding *unwinding;
	struct debugged *debugged;    /* unwatched under a debugger; NULL: none */
	struct target_links *orphans; /* NULL: none */
};

/* A link that is to be detached without the lock. NULL is fine. */
void target_link_orphan(struct target_table *table, struct probe_link *link);
/* The slot is free again when the links handed over so far are out. */
void target_slot_drain(struct target_table *table, uint32_t slot);
/* Where a debugger is at work, breakpoints stay as the probes go. Before its modules are released.
 */
void target_hold_for_debugger(struct target_table *table, const struct target *target);
/* Of a target that was unwatched while a work for it was under way. */
void target_free(struct target_table *table, struct target *target);

/*
 * Does at once what is due for a target, and takes it out with all that it left in the kernel: for
 * children of our own, before there are other threads. (Not for what may be unwatched meanwhile.)
 */
void target_attach_now(struct target_table *table, struct target *target);
void target_unwatch_now(struct target_table *table, struct target *target);

#endif
