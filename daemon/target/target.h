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
#include "target/meter.h"
#include "target/process.h"

#define TARGET_LEASES_MAX 16

struct target_lease {
	uint64_t id;            /* 0: free */
	double expires_seconds; /* monotonic clock */
	double budget_share;    /* INFINITY: no limit */
};

struct target_python; /* its Python interpreter, see python.h */
struct target_module; /* a module that was looked into, see modules.h */

struct target {
	struct process_identity identity;
	uint32_t slot;
	uint64_t cookie; /* what the cookies of its probes have in common: the slot and the watch */
	uint32_t account; /* as far as the daemon has heard; BPF changes it at exec */
	uint64_t sampling_interval_bytes;
	double watched_since_seconds; /* monotonic; starts anew at exec */
	struct address_space *space;
	struct target_module *modules;
	size_t module_count;
	uint64_t probe_count, single_stepped_count;
	char allocators[64];
	char attach_failure[200]; /* "" when every probe could be attached */
	const char *rss_refusal;  /* static: why it has no RSS profile; NULL: it has */
	bool is_contract;         /* it reports its own samples, and is watched by these alone */
	/* Why USDT probes by which it would do so are not used; "" when there are none. */
	char contract_refusal[200];

	struct target_python *python; /* NULL: none is known */
	char python_refusal[200];     /* why there is none although there seems to be; "" */
	double python_due_seconds;    /* monotonic: not before */
	uint32_t python_tries;

	uint32_t generation;
	/* When each generation began (monotonic); index: generation % RECORD_GENERATIONS. */
	double generation_start_seconds[RECORD_GENERATIONS];

	bool is_persistent;
	bool is_retried;  /* ended over its budget it is watched again after a while (view/retry.h)
			   */
	uint32_t retries; /* how often it was already, without having kept within it for long */
	bool is_for_all;  /* somebody who may see every process has asked for it */
	struct target_lease leases[TARGET_LEASES_MAX];

	/* What its probes may cost, and do. */
	double persistent_budget_share; /* of who watches it for good; INFINITY: no limit */
	struct target_meter meter;
	struct budget budget;
	uint64_t asked_interval_bytes; /* the sampling interval may have been raised since */
	uint32_t interval_raises;      /* how often */
	uint64_t blocks_used_next;     /* see share_is_getting_full() */

	bool is_new;            /* nobody knows yet whether it can be watched */
	bool is_over;           /* it has exited, or we do: nothing hits its probes any more */
	bool is_unwatched;      /* freed when the work that is under way is done */
	bool is_space_due;      /* the loader has mapped or unmapped something: read it anew */
	bool is_unwind_due;     /* what it has mapped may have changed for the unwinder */
	bool is_unwind_pending; /* no unwind tables yet: stacks are taken by frame pointers */
	bool is_python_due;     /* its interpreter is to be searched for */
	bool is_python_pending; /* it hasn't been yet: stacks have no Python frames */
	bool is_contract_due;   /* it could report its own samples by now: to be watched anew */
	bool is_attach_due;     /* and look for allocators in what it has mapped */
	bool is_traced;         /* by ptrace, when last looked */
	bool is_check_due;      /* its tracer has gone: perhaps with probes of ours */
	bool is_work_under_way; /* somebody attaches its probes now */
	int attach_error;       /* reading its mappings failed: -errno of the last try */
	uint32_t attach_epoch;  /* another one: links made for the task before are void */
	double attach_paced_seconds; /* when these would be due if they came evenly, see work.c */
	double space_paced_seconds;
	double plan_seconds;      /* what examining its files has cost */
	double sweep_due_seconds; /* > 0: a fork copied breakpoints, they are swept out then */
	double prune_due_seconds; /* > 0: probes of the program before exec are taken out then */
};

struct target_table;
struct seccomp_trial;

/* unwind_bytes_max bounds the memory of the unwind tables in the kernel. */
struct target_table *target_table_new(struct probe_object *object, struct module_cache *modules,
				      const struct probe_backend *backend,
				      uint64_t unwind_bytes_max);
/* Ends every watch. */
void target_table_free(struct target_table *table);

/*
 * Makes a process that is no target yet one; its probes are attached by the work that is due then.
 * Returns 0 and *target, or with the reason: process_check's errors, -ENOSPC (no slot), -ENOTSUP,
 * other -errno.
 */
int target_watch(struct target_table *table, pid_t pid, uint64_t sampling_interval_bytes,
		 struct target **watched, struct process_error *message);
/*
 * After that work: whether it is watched indeed. 0, or with the reason: -ESRCH (it has exited),
 * -ENOEXEC (no known allocator), -EIO (no probe could be attached), other -errno.
 */
int target_check_watched(const struct target *target, struct process_error *message);
/*
 * Ends the watch. The target is gone for everybody else at once; its links are orphans, and its
 * slot is given to another when they are out.
 */
void target_unwatch(struct target_table *table, struct target *target);

/*
 * What takes time is done without the lock: a work is taken under it, run without it, and its
 * results are entered under it. take and next return NULL when nothing is due or somebody is at it;
 * next goes over all targets (start with *cursor 0) and sets *is_put_off when something has to be
 * looked at again soon. done frees the work and returns whether the target is still there.
 */
struct target_work;
struct target_work *target_work_take(struct target_table *table, struct target *target);
struct target_work *target_work_next(struct target_table *table, size_t *cursor, bool *is_put_off);
void target_work_run(struct target_work *work);
bool target_work_done(struct target_table *table, struct target_work *work);

/*
 * The same for the unwind tables of all targets: take returns NULL when nothing is due. One thread
 * does it, whoever else is at work.
 */
struct unwind_work;
struct unwind_work *target_unwind_take(struct target_table *table);
void target_unwind_run(struct target_table *table, struct unwind_work *work);
void target_unwind_done(struct target_table *table, struct unwind_work *work);
struct unwind_statistics;
/* What it has made so far. From any thread. */
const struct unwind_statistics *target_unwind_statistics(const struct target_table *table);

/*
 * Links that are on their way out. take under the lock, detach without it (it may take a tenth of a
 * second), free under it. NULL is fine.
 */
struct target_links;
struct target_links *target_orphans_take(struct target_table *table);
void target_orphans_detach(struct target_links *orphans);
void target_orphans_free(struct target_table *table, struct target_links *orphans);

/*
 * Breakpoints that were left to a debugger (target/debugged.h) which has gone. To be closed without
 * the lock.
 */
struct debugged;
struct debugged *target_debugged_take(struct target_table *table);

struct target *target_by_pid(const struct target_table *table, pid_t pid);
/* NULL when the slot is free or has moved on to another account. */
struct target *target_by_account(const struct target_table *table, uint32_t slot, uint32_t account);
struct probe_object *target_table_object(const struct target_table *table);
/* Made at the start. Borrowed. */
const struct seccomp_trial *target_table_seccomp(const struct target_table *table);
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
/* Reads its mappings anew, so that addresses can be resolved; probes follow when it is their turn.
 */
void target_refresh_space(struct target *target);
/*
 * The same when it is due and the last one is a while ago: a program that loads a hundred libraries
 * would otherwise be held up by us as we read its mappings.
 */
void target_refresh_space_if_due(struct target *target);

/*
 * Whether this code belongs to an allocator that is not probed because the process reports its own
 * samples: what it maps holds blocks, which are accounted already.
 */
bool target_is_contract_allocator(const struct target *target, const struct module *module,
				  uint64_t file_offset);

/* A lease for an observer; lease_id renews that one. Returns its id, 0 when there is no room. */
uint64_t target_lease(struct target_table *table, struct target *target, uint64_t lease_id,
		      double seconds, double now_seconds);
/* What an observer lets its probes cost; INFINITY: no limit. */
void target_set_lease_budget(struct target *target, uint64_t lease_id, double share);
/* The largest of what those who hold it let its probes cost. */
double target_budget_share(const struct target *target);
/* From now on blocks are sampled at this interval; each that is held keeps its weight. */
void target_raise_interval(struct target_table *table, struct target *target,
			   uint64_t interval_bytes);
/* Ends its RSS profile, as it costs too much. The numbers so far remain. */
void target_end_rss(struct target_table *table, struct target *target);
/* Divides the tables of blocks and sites anew among all targets (see target/share.h). */
void target_table_share(struct target_table *table);
/* Ends one lease (0: all and the persistent watch). Returns whether anybody still holds it. */
bool target_release(struct target *target, uint64_t lease_id);
/* Ends leases that have run out. Returns whether anybody still holds the target. */
bool target_expire_leases(struct target *target, double now_seconds);
uint32_t target_lease_count(const struct target *target);

/* Begins a new generation when the current one has lasted long enough for the target's age. */
void target_advance_generation(struct target_table *table, struct target *target,
			       double now_seconds);

/* Looks whether the process is traced, as each second: when its tracer has gone, a check is due. */
void target_follow_tracer(struct target *target);
/*
 * Whether a tracer has taken probes out: taken under the lock, run without it, done under it again.
 * Probes that are missing are put back by work that becomes due; what was called meanwhile is
 * missing from the account, and counted as vanished_probes. NULL is fine.
 */
struct target_check;
struct target_check *target_checks_take(struct target_table *table);
void target_checks_run(struct target_check *checks);
void target_checks_done(struct target_table *table, struct target_check *checks);

/* A fork has copied the breakpoints: their sweep becomes due. */
void target_handle_fork(struct target *target, double now_seconds);

#endif
