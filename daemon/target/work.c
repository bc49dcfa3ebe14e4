/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a target needs done that takes time: its files are searched for allocators, probes are
 * attached, copies of breakpoints swept out. A work is taken under the lock, run without it, and
 * its results are entered under the lock again; the target may have exited, executed another
 * program or been unwatched meanwhile.
 */
#include "clock.h"
#include "log.h"
#include "probe/contract.h"
#include "target/modules.h"
#include "target/python.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * Most forks exec at once and lose their copied breakpoints by that; those that live on are swept
 * together after this.
 */
#define SWEEP_DELAY_SECONDS 1.0

/*
 * A program that loads a hundred libraries would be held up by us as we read its mappings: in the
 * long run they are read this often, but some times at once, as a program's start needs it.
 */
#define REFRESH_SECONDS   0.05
#define REFRESHES_AT_ONCE 8

/* A file can be made to take for ever; all files of real programs take 0.3 s. */
#define PLAN_SECONDS_MAX 2.0

/* One module to look into, or one to sweep. */
struct work_item {
	struct target_module probed;
	struct contract contract; /* cleared as soon as its plan is made */
	char path[128];
	bool is_sweep;   /* probed.plan has copies of the points; module and link are not set */
	bool is_skipped; /* planning the others took too long */
	int error;
	char failure[200]; /* what is not probed, if that takes more words than the error */
};

struct target_work {
	struct target *target; /* lives until the work is done */
	struct probe_object *object;
	const struct probe_backend *backend;
	pid_t pid;
	uint64_t cookie;
	uint32_t attach_epoch, account;
	bool is_first; /* nothing of it is probed yet */
	bool is_contract, is_contract_due;
	char contract_refusal[200];
	size_t contract_points_left;
	double plan_seconds;
	struct work_item *items;
	size_t item_count;
};

/* Paced by the generic cell rate algorithm (ITU-T I.371). */
static bool may_refresh(double paced_seconds, double now_seconds)
{
	return paced_seconds - (REFRESHES_AT_ONCE - 1) * REFRESH_SECONDS <= now_seconds;
}

static void pace_refresh(double *paced_seconds, double now_seconds)
{
	*paced_seconds =
		(*paced_seconds > now_seconds ? *paced_seconds : now_seconds) + REFRESH_SECONDS;
}

/* ---- Taking: under the lock ---- */

static struct work_item *work_add(struct target_work *work)
{
	struct work_item *grown = reallocarray(work->items, work->item_count + 1, sizeof(*grown));

	if (!grown)
		return NULL;
	work->items = grown;
	memset(&grown[work->item_count], 0, sizeof(*grown));
	return &grown[work->item_count++];
}

static int add_file(struct target_work *work, const struct address_space_file *file)
{
	const struct address_space *space = work->target->space;
	struct work_item *item;

	if (target_has_file(work->target, file) || module_word_bits(file->module) != 64)
		return 0;
	item = work_add(work);
	if (!item)
		return -ENOMEM;
	item->probed.module = module_hold(file->module);
	item->probed.file = file->id;
	item->error =
		address_space_file_proc_path(space, &file->id, item->path, sizeof(item->path));
	return 0;
}

/* Looks at what is mapped now. 0 or -errno (-ESRCH: it is gone). */
static int add_files(struct target_table *table, struct target_work *work)
{
	struct target *target = work->target;
	int error = address_space_refresh(target->space);
	size_t count;

	target->is_attach_due = target->is_space_due = false;
	pace_refresh(&target->attach_paced_seconds, clock_monotonic_seconds());
	if (error)
		return error;
	target->is_unwind_due = true;
	target_python_expect(target);
	target_modules_release_unmapped(table, target, false);
	count = address_space_file_count(target->space);
	for (size_t i = 0; i < count && !error; i++)
		error = add_file(work, address_space_file(target->space, i));
	return error;
}

static void add_sweep(struct target_work *work, const struct target_module *probed)
{
	struct work_item *item = work_add(work);
	size_t count = probed->plan.point_count;

	if (!item)
		return;
	item->is_sweep = true;
	item->error = address_space_file_proc_path(work->target->space, &probed->file, item->path,
						   sizeof(item->path));
	item->probed.plan.points = calloc(count, sizeof(*item->probed.plan.points));
	if (!item->probed.plan.points)
		return;
	memcpy(item->probed.plan.points, probed->plan.points,
	       count * sizeof(*item->probed.plan.points));
	item->probed.plan.point_count = count;
}

static void prune(struct target_table *table, struct target *target)
{
	target->prune_due_seconds = 0;
	/* No modules at all: its main thread has ended, and /proc shows nothing of the others. */
	if (address_space_refresh(target->space) || !address_space_file_count(target->space))
		return;
	target->is_unwind_due = true;
	target_modules_release_unmapped(table, target, true);
	target_modules_describe(target);
}

static bool is_due(double due_seconds, double now_seconds)
{
	return due_seconds > 0 && now_seconds >= due_seconds;
}

static size_t contract_points_left(const struct target *target)
{
	size_t count = target_contract_points(target);

	return count < CONTRACT_TARGET_POINTS_MAX ? CONTRACT_TARGET_POINTS_MAX - count : 0;
}

struct target_work *target_work_take(struct target_table *table, struct target *target)
{
	double now = clock_monotonic_seconds();
	bool is_attach_due =
		target->is_attach_due && may_refresh(target->attach_paced_seconds, now);
	struct target_work *work;

	if (target->is_work_under_way)
		return NULL;
	if (is_due(target->prune_due_seconds, now))
		prune(table, target);
	if (!is_attach_due && !is_due(target->sweep_due_seconds, now))
		return NULL;
	work = calloc(1, sizeof(*work));
	if (!work)
		return NULL;
	*work = (struct target_work){.target = target,
				     .object = table->object,
				     .backend = table->backend,
				     .pid = target->identity.pid,
				     .cookie = target->cookie,
				     .attach_epoch = target->attach_epoch,
				     .account = target->account,
				     .is_first = !target->module_count,
				     .is_contract = target->is_contract,
				     .contract_points_left = contract_points_left(target),
				     .plan_seconds = target->plan_seconds};
	target->is_work_under_way = true;
	if (is_due(target->sweep_due_seconds, now)) {
		target->sweep_due_seconds = 0;
		for (size_t i = 0; i < target->module_count; i++)
			if (target->modules[i].link)
				add_sweep(work, &target->modules[i]);
	}
	if (is_attach_due)
		target->attach_error = add_files(table, work);
	return work;
}

struct target_work *target_work_next(struct target_table *table, size_t *cursor, bool *is_put_off)
{
	struct target *target;

	while ((target = target_next(table, cursor))) {
		struct target_work *work;

		/* Whoever has it watched attaches its first probes, and waits for it. */
		if (target->is_new)
			continue;
		work = target_work_take(table, target);
		*is_put_off |= target->is_attach_due && !target->is_work_under_way;
		if (work)
			return work;
	}
	return NULL;
}

/* ---- Running: without the lock ---- */

static int attach(const struct target_work *work, struct work_item *item)
{
	struct probe_plan *plan = &item->probed.plan;

	if (!plan->point_count)
		return 0;
	for (size_t i = 0; i < plan->point_count; i++)
		plan->points[i].cookie |= work->cookie;
	return work->backend->attach(probe_object_programs(work->object), work->pid, item->path,
				     plan->points, plan->point_count, &item->probed.link);
}

/* Whether it brings contract probes that can be used. */
static bool read_contract(struct target_work *work, struct work_item *item)
{
	const struct module *module = item->probed.module;

	/* Notes that cannot be read are none. */
	contract_read(module_fd(module), &item->contract);
	if (!item->contract.is_usable && item->contract.reason)
		snprintf(work->contract_refusal, sizeof(work->contract_refusal),
			 "its USDT probes " CONTRACT_PROVIDER " cannot be used: %s (%s)",
			 item->contract.reason, module_path(module));
	return item->contract.is_usable;
}

/*
 * Before anything is probed: a process that reports its own samples is not to be probed in its
 * malloc. When it turns out later (dlopen), it has to be watched anew: both in one account would
 * count twice.
 */
static void find_contract(struct target_work *work)
{
	double began = clock_monotonic_seconds();
	bool is_found = false;

	for (size_t i = 0; i < work->item_count && work->plan_seconds <= PLAN_SECONDS_MAX; i++) {
		if (work->items[i].is_sweep)
			continue;
		is_found |= read_contract(work, &work->items[i]);
		work->plan_seconds += clock_monotonic_seconds() - began;
		began = clock_monotonic_seconds();
	}
	if (is_found && !work->is_contract && work->is_first)
		work->is_contract = true;
	else if (is_found && !work->is_contract)
		work->is_contract_due = true;
}

/* In a process that is watched by its contract probes the plan holds these. */
static int plan_contract(struct target_work *work, struct work_item *item)
{
	const struct contract *contract = &item->contract;
	struct probe_plan *plan = &item->probed.plan;
	int error = contract_apply(work->object, contract, work->contract_points_left, plan);

	work->contract_points_left -= error ? 0 : plan->contract_count;
	if (error == -E2BIG)
		snprintf(item->failure, sizeof(item->failure),
			 "it has more than %d USDT probes " CONTRACT_PROVIDER " (%s)",
			 CONTRACT_TARGET_POINTS_MAX, module_path(item->probed.module));
	else if (error == -ENOSPC)
		snprintf(item->failure, sizeof(item->failure),
			 "there is no room left to describe the arguments of its USDT probes (%s)",
			 module_path(item->probed.module));
	else if (contract->is_usable && contract->refused_allocations)
		snprintf(item->failure, sizeof(item->failure),
			 "%zu of the places where it reports its allocations cannot be probed: %s "
			 "(%s)",
			 contract->refused_allocations, contract->reason,
			 module_path(item->probed.module));
	return error;
}

/* What of the process's allocations can't be seen, though nothing failed. */
static void note_shortcoming(struct work_item *item)
{
	if (item->probed.plan.shortcoming[0])
		snprintf(item->failure, sizeof(item->failure), "%s (%s)",
			 item->probed.plan.shortcoming, module_path(item->probed.module));
}

static void run_item(struct target_work *work, struct work_item *item)
{
	struct probe_plan *plan = &item->probed.plan;
	double began = clock_monotonic_seconds();

	if (item->is_sweep) {
		if (!item->error && plan->point_count)
			item->error =
				work->backend->sweep(probe_object_programs(work->object), work->pid,
						     item->path, plan->points, plan->point_count);
		return;
	}
	if (work->plan_seconds > PLAN_SECONDS_MAX) {
		item->is_skipped = true;
		return;
	}
	probe_plan_make(module_fd(item->probed.module), PROBE_RETURN_TRAMPOLINE, plan);
	if (!item->error && work->is_contract)
		item->error = plan_contract(work, item);
	else if (!item->error)
		note_shortcoming(item);
	work->plan_seconds += clock_monotonic_seconds() - began;
	if (!item->error)
		item->error = attach(work, item);
}

void target_work_run(struct target_work *work)
{
	find_contract(work);
	for (size_t i = 0; i < work->item_count; i++)
		run_item(work, &work->items[i]);
}

/* ---- Entering the results: under the lock ---- */

static void note_failure(struct target *target, const struct work_item *item)
{
	if (item->is_skipped) {
		snprintf(target->attach_failure, sizeof(target->attach_failure),
			 "its program files take more than %.0f s to examine: not all were looked "
			 "into",
			 PLAN_SECONDS_MAX);
		return;
	}
	if (item->failure[0])
		memcpy(target->attach_failure, item->failure, sizeof(item->failure));
	else
		snprintf(target->attach_failure, sizeof(target->attach_failure),
			 "probes could not be attached to %s: %s", module_path(item->probed.module),
			 strerror(-item->error));
	log_write(LOG_WARN, "process %d (%s): %s", (int)target->identity.pid, target->identity.comm,
		  target->attach_failure);
}

/*
 * Links to the task that was the process before an exec by another thread hear nothing; and what
 * the program before reported itself, the next one may not.
 */
static bool is_void(const struct target_work *work)
{
	const struct target *target = work->target;

	return work->attach_epoch != target->attach_epoch ||
	       (work->is_contract && work->account != target->account);
}

static void enter_contract(const struct target_work *work)
{
	struct target *target = work->target;

	if (work->account != target->account || is_void(work))
		return;
	target->is_contract = work->is_contract;
	target->is_contract_due |= work->is_contract_due;
	if (work->contract_refusal[0])
		memcpy(target->contract_refusal, work->contract_refusal,
		       sizeof(target->contract_refusal));
}

static void enter_item(struct target_table *table, const struct target_work *work,
		       struct work_item *item)
{
	struct target *target = work->target;

	if (item->is_sweep) {
		probe_plan_clear(&item->probed.plan);
		return;
	}
	contract_clear(&item->contract);
	if (target->is_unwatched || is_void(work)) {
		target_module_release(table, &item->probed);
		return;
	}
	if (!item->error && !item->is_skipped)
		item->error = target_module_add(target, &item->probed);
	if (!item->error && !item->is_skipped) {
		/* What the loader has mapped before its own probe was in place it hasn't told. */
		if (item->probed.link)
			target->is_attach_due = target->is_space_due = true;
		if (item->failure[0])
			memcpy(target->attach_failure, item->failure, sizeof(item->failure));
		return;
	}
	note_failure(target, item);
	target_module_release(table, &item->probed);
}

bool target_work_done(struct target_table *table, struct target_work *work)
{
	struct target *target = work->target;
	bool lives = !target->is_unwatched;

	for (size_t i = 0; i < work->item_count; i++)
		enter_item(table, work, &work->items[i]);
	target->is_work_under_way = false;
	target->plan_seconds = work->plan_seconds;
	if (is_void(work))
		target->is_attach_due = true;
	enter_contract(work);
	if (lives)
		target_modules_describe(target);
	else
		target_free(table, target);
	free(work->items);
	free(work);
	return lives;
}

/* ---- Forks ---- */

void target_handle_fork(struct target *target, double now_seconds)
{
	if (target->sweep_due_seconds <= 0)
		target->sweep_due_seconds = now_seconds + SWEEP_DELAY_SECONDS;
}

/* ---- The address space, as far as stacks need it at once ---- */

void target_refresh_space(struct target *target)
{
	address_space_refresh(target->space);
	target->is_space_due = false;
	target->is_attach_due = target->is_unwind_due = true;
	target_python_expect(target);
}

void target_refresh_space_if_due(struct target *target)
{
	double now = clock_monotonic_seconds();

	if (!target->is_space_due || !may_refresh(target->space_paced_seconds, now))
		return;
	target_refresh_space(target);
	pace_refresh(&target->space_paced_seconds, now);
}
