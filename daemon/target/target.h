/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Targets: the processes that are watched now, each in a numbered slot, with the probes in it, its
 * address space, and who asked for it. The numbers of what it holds live in account/.
 *
 * Owned by the daemon's state, used under its lock.
 */
#ifndef MEMWATCH_TARGET_TARGET_H
#define MEMWATCH_TARGET_TARGET_H

#include "probe/attach.h"
#include "symbol/address_space.h"
#include "target/process.h"

#define TARGET_LEASES_MAX 16

struct target_lease {
	uint64_t id;            /* 0: free */
	double expires_seconds; /* monotonic clock */
};

struct target_module; /* a module with probes, see target.c */

struct target {
	struct process_identity identity;
	uint32_t slot;
	uint32_t account; /* as far as the daemon has heard; BPF changes it at exec */
	uint64_t sampling_interval_bytes;
	double watched_since_seconds; /* monotonic; starts anew at exec */
	struct address_space *space;
	struct target_module *modules;
	size_t module_count;
	uint64_t probe_count, single_stepped_count;
	char allocators[64];
	char attach_failure[200]; /* "" when every probe could be attached */

	uint32_t generation;
	/* When each generation began (monotonic); index: generation % RECORD_GENERATIONS. */
	double generation_start_seconds[RECORD_GENERATIONS];

	bool is_persistent;
	bool is_for_all; /* somebody who may see every process has asked for it */
	struct target_lease leases[TARGET_LEASES_MAX];

	bool is_over;             /* it has exited, or we do: nothing hits its probes any more */
	bool is_refresh_due;      /* the loader has mapped or unmapped something */
	double refreshed_seconds; /* monotonic; 0: the next one is not to be put off */
	double plan_seconds;      /* what examining its files has cost */
	double sweep_due_seconds; /* > 0: a fork copied breakpoints, they are swept out then */
	double prune_due_seconds; /* > 0: probes of the program before exec are taken out then */
};

struct target_table;

struct target_table *target_table_new(struct probe_object *object, struct module_cache *modules,
				      const struct probe_backend *backend);
/* Ends every watch. */
void target_table_free(struct target_table *table);

/*
 * Watches a process that is no target yet. Returns 0 and *target, or with the reason:
 * process_check's errors, -ENOSPC (no slot), -ENOEXEC (no known allocator), -ENOTSUP, other -errno.
 */
int target_watch(struct target_table *table, pid_t pid, uint64_t sampling_interval_bytes,
		 struct target **watched, struct process_error *message);
/* Takes the probes out and frees the slot. */
void target_unwatch(struct target_table *table, struct target *target);

/*
 * The links of targets that were unwatched when they were over. take under the lock, detach without
 * it: it may take a tenth of a second. NULL is fine.
 */
struct target_links;
struct target_links *target_orphans_take(struct target_table *table);
void target_orphans_detach(struct target_links *links);

struct target *target_by_pid(const struct target_table *table, pid_t pid);
/* NULL when the slot is free or has moved on to another account. */
struct target *target_by_account(const struct target_table *table, uint32_t slot, uint32_t account);
struct probe_object *target_table_object(const struct target_table *table);
size_t target_count(const struct target_table *table);
size_t target_max(const struct target_table *table);
/* The next target at or after *cursor (start with 0), NULL at the end. */
struct target *target_next(const struct target_table *table, size_t *cursor);

/*
 * The process has executed another program; its new account has begun in the kernel. uid: who may
 * look into it.
 */
void target_handle_exec(struct target_table *table, struct target *target, uint32_t new_account,
			bool is_leader_changed, uid_t uid);
/* Looks at what is mapped now and probes allocators that weren't there before. */
void target_refresh(struct target_table *table, struct target *target);
/*
 * The same when it is due and the last one is a while ago: a program that loads a hundred libraries
 * would otherwise be held up by us as we read its mappings. Returns whether it is still due.
 */
bool target_refresh_if_due(struct target_table *table, struct target *target);

/* A lease for an observer; lease_id renews that one. Returns its id, 0 when there is no room. */
uint64_t target_lease(struct target_table *table, struct target *target, uint64_t lease_id,
		      double seconds, double now_seconds);
/* Ends one lease (0: all and the persistent watch). Returns whether anybody still holds it. */
bool target_release(struct target *target, uint64_t lease_id);
/* Ends leases that have run out. Returns whether anybody still holds the target. */
bool target_expire_leases(struct target *target, double now_seconds);
uint32_t target_lease_count(const struct target *target);

/* Begins a new generation when the current one has lasted long enough for the target's age. */
void target_advance_generation(struct target_table *table, struct target *target,
			       double now_seconds);
/* Takes out the probes of modules that the program before the last exec alone had mapped. */
void target_prune_modules(struct target_table *table, struct target *target, double now_seconds);
/* A fork has copied the breakpoints: schedules their sweep. */
void target_handle_fork(struct target *target, double now_seconds);
/* Sweeps copied breakpoints out when that is due. */
void target_sweep_forks(struct target_table *table, struct target *target, double now_seconds);

#endif
