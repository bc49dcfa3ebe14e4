/* SPDX-License-Identifier: Apache-2.0 */
/* The probes in a target: which of its modules carry them, and the copies that forks make of them.
 */
#include "clock.h"
#include "log.h"
#include "probe/plan.h"
#include "target/table.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/*
 * Most forks exec at once and lose their copied breakpoints by that; those that live on are swept
 * together after this.
 */
#define SWEEP_DELAY_SECONDS 1.0

/* Mappings are not read again sooner than this just because the loader was busy. */
#define REFRESH_SECONDS_MIN 0.05

/* Everybody waits while the files of a target are searched for allocators; real ones take 0.3 s. */
#define PLAN_SECONDS_MAX 2.0

/*
 * Probes in files that aren't mapped any more stay: a program that has just been executed will soon
 * map its libraries again. But no more than this, or else a chain of programs fills our tables.
 */
#define UNMAPPED_PROBED_MAX 16

struct target_module {
	struct module *module;
	struct probe_plan plan;  /* cookies with the slot */
	struct probe_link *link; /* NULL: there is nothing to probe in it */
	dev_t device;            /* of the file that has the probes */
	ino_t inode;
};

/* ---- Many links at once ---- */

/* Taking one link out waits 50 ms for the kernel; many that wait together take no longer. */
#define DETACH_THREADS_MAX 64

struct target_links {
	const struct probe_backend *backend;
	size_t count, next;
	struct probe_link *links[];
};

static void *detach_links(void *context)
{
	struct target_links *links = context;
	size_t index;

	while ((index = __atomic_fetch_add(&links->next, 1, __ATOMIC_RELAXED)) < links->count)
		links->backend->detach(links->links[index]);
	return NULL;
}

/* Moves the target's links over; those for which there is no memory stay. */
static void orphan_links(struct target_table *table, struct target *target)
{
	size_t count = table->orphans ? table->orphans->count : 0;
	struct target_links *grown =
		realloc(table->orphans, sizeof(*grown) + (count + target->module_count) *
								 sizeof(struct probe_link *));

	if (!grown)
		return;
	*grown = (struct target_links){.backend = table->backend, .count = count};
	for (size_t i = 0; i < target->module_count; i++) {
		if (!target->modules[i].link)
			continue;
		grown->links[grown->count++] = target->modules[i].link;
		target->modules[i].link = NULL;
	}
	table->orphans = grown;
}

struct target_links *target_orphans_take(struct target_table *table)
{
	struct target_links *links = table->orphans;

	table->orphans = NULL;
	return links;
}

void target_orphans_detach(struct target_links *links)
{
	pthread_t threads[DETACH_THREADS_MAX];
	size_t thread_count = 0;

	if (!links)
		return;
	while (thread_count < DETACH_THREADS_MAX && thread_count + 1 < links->count &&
	       !pthread_create(&threads[thread_count], NULL, detach_links, links))
		thread_count++;
	detach_links(links);
	while (thread_count > 0)
		pthread_join(threads[--thread_count], NULL);
	free(links);
}

static void release_module(struct target_table *table, struct target_module *probed)
{
	if (probed->link)
		table->backend->detach(probed->link);
	probe_plan_clear(&probed->plan);
	module_release(probed->module);
}

void target_detach(struct target_table *table, struct target *target)
{
	if (target->is_over)
		orphan_links(table, target);
	for (size_t i = 0; i < target->module_count; i++)
		release_module(table, &target->modules[i]);
	free(target->modules);
	target->modules = NULL;
	target->module_count = 0;
	target->probe_count = 0;
	target->single_stepped_count = 0;
	target->allocators[0] = '\0';
}

/* ---- Which modules ---- */

static bool is_mapped(const struct target *target, const struct module *module)
{
	size_t count = address_space_module_count(target->space);

	for (size_t i = 0; i < count; i++)
		if (address_space_module(target->space, i) == module)
			return true;
	return false;
}

/* The file through which the target maps a module now: copies of a file are one module. */
static int stat_module(const struct target *target, const struct module *module,
		       struct stat *status)
{
	char path[128];
	int error = address_space_module_proc_path(target->space, module, path, sizeof(path));

	return error ? error : stat(path, status) ? -errno : 0;
}

static bool is_current(const struct target *target, const struct target_module *probed)
{
	struct stat status;

	if (!is_mapped(target, probed->module))
		return false;
	return !probed->link || (!stat_module(target, probed->module, &status) &&
				 status.st_dev == probed->device && status.st_ino == probed->inode);
}

/* Whether it has been seen to: it is probed, or known to hold nothing to probe. */
static bool target_has_module(const struct target *target, const struct module *module)
{
	for (size_t i = 0; i < target->module_count; i++)
		if (target->modules[i].module == module && is_current(target, &target->modules[i]))
			return true;
	return false;
}

static int attach_plan(struct target_table *table, struct target *target, struct module *module,
		       struct probe_plan *plan)
{
	struct target_module *grown;
	struct probe_link *link = NULL;
	struct stat status = {0};
	char path[128];
	int error = 0;

	for (size_t i = 0; i < plan->point_count; i++)
		plan->points[i].cookie |= (uint64_t)target->slot << RECORD_COOKIE_SLOT_SHIFT;
	grown = reallocarray(target->modules, target->module_count + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	target->modules = grown;
	if (plan->point_count)
		error = address_space_module_proc_path(target->space, module, path, sizeof(path));
	if (!error && plan->point_count)
		error = stat_module(target, module, &status);
	if (!error && plan->point_count)
		error = table->backend->attach(table->object, target->identity.pid, path,
					       plan->points, plan->point_count, &link);
	if (error)
		return error;
	target->modules[target->module_count++] =
		(struct target_module){.module = module_hold(module),
				       .plan = *plan,
				       .link = link,
				       .device = status.st_dev,
				       .inode = status.st_ino};
	return 0;
}

static void attach_module(struct target_table *table, struct target *target, struct module *module)
{
	struct probe_plan plan;
	double began;
	int error;

	if (target_has_module(target, module) || module_word_bits(module) != 64)
		return;
	if (target->plan_seconds > PLAN_SECONDS_MAX) {
		snprintf(target->attach_failure, sizeof(target->attach_failure),
			 "its program files take more than %.0f s to examine: not all were looked "
			 "into",
			 PLAN_SECONDS_MAX);
		return;
	}
	began = clock_monotonic_seconds();
	probe_plan_make(module_fd(module), PROBE_RETURN_TRAMPOLINE, &plan);
	target->plan_seconds += clock_monotonic_seconds() - began;
	error = attach_plan(table, target, module, &plan);
	if (error) {
		snprintf(target->attach_failure, sizeof(target->attach_failure),
			 "probes could not be attached to %s: %s", module_path(module),
			 strerror(-error));
		log_write(LOG_WARN, "process %d (%s): %s", (int)target->identity.pid,
			  target->identity.comm, target->attach_failure);
		probe_plan_clear(&plan);
	}
}

/* allocators holds one name for each kind, however many modules bring it. */
static void add_allocator(struct target *target, const struct probe_plan *plan)
{
	size_t used = strlen(target->allocators);
	char name[sizeof(plan->allocators)];

	if (!plan->has_allocator)
		return;
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(plan->allocators, ","), plan->allocators);
	if (!strstr(target->allocators, name))
		snprintf(target->allocators + used, sizeof(target->allocators) - used, "%s%s",
			 used ? "," : "", name);
}

/*
 * What the target's own mappings carry. Right after an exec that is little: the probes that wait
 * for the new program to map the old one's library again don't count.
 */
static void describe_probes(struct target *target)
{
	target->probe_count = target->single_stepped_count = 0;
	target->allocators[0] = '\0';
	for (size_t i = 0; i < target->module_count; i++) {
		const struct target_module *probed = &target->modules[i];

		if (!is_current(target, probed))
			continue;
		target->probe_count += probed->plan.point_count;
		target->single_stepped_count += probed->plan.single_stepped_count;
		add_allocator(target, &probed->plan);
	}
}

/* Takes out what isn't mapped any more, probed modules only when there are more than so many. */
static void release_unmapped(struct target_table *table, struct target *target,
			     size_t unmapped_probed_max)
{
	size_t unmapped_probed = 0, kept = 0;

	for (size_t i = 0; i < target->module_count; i++)
		unmapped_probed +=
			target->modules[i].link && !is_current(target, &target->modules[i]);
	for (size_t i = 0; i < target->module_count; i++) {
		struct target_module *probed = &target->modules[i];
		bool is_kept = probed->link && unmapped_probed <= unmapped_probed_max;

		if (is_kept || is_current(target, probed))
			target->modules[kept++] = *probed;
		else
			release_module(table, probed);
	}
	target->module_count = kept;
}

int target_attach(struct target_table *table, struct target *target)
{
	int error = address_space_refresh(target->space);
	size_t count;

	target->is_refresh_due = false;
	if (error)
		return error;
	release_unmapped(table, target, UNMAPPED_PROBED_MAX);
	count = address_space_module_count(target->space);
	for (size_t i = 0; i < count; i++)
		attach_module(table, target, address_space_module(target->space, i));
	describe_probes(target);
	return 0;
}

void target_refresh(struct target_table *table, struct target *target)
{
	target_attach(table, target);
}

bool target_refresh_if_due(struct target_table *table, struct target *target)
{
	double now = clock_monotonic_seconds();

	if (target->is_refresh_due && now - target->refreshed_seconds >= REFRESH_SECONDS_MIN) {
		target_attach(table, target);
		target->refreshed_seconds = clock_monotonic_seconds();
	}
	return target->is_refresh_due;
}

void target_prune_modules(struct target_table *table, struct target *target, double now_seconds)
{
	if (target->prune_due_seconds <= 0 || now_seconds < target->prune_due_seconds)
		return;
	target->prune_due_seconds = 0;
	/* No modules at all: its main thread has ended, and /proc shows nothing of the others. */
	if (target_attach(table, target) || !address_space_module_count(target->space))
		return;
	release_unmapped(table, target, 0);
}

/* ---- Forks ---- */

void target_handle_fork(struct target *target, double now_seconds)
{
	if (target->sweep_due_seconds <= 0)
		target->sweep_due_seconds = now_seconds + SWEEP_DELAY_SECONDS;
}

void target_sweep_forks(struct target_table *table, struct target *target, double now_seconds)
{
	char path[128];

	if (target->sweep_due_seconds <= 0 || now_seconds < target->sweep_due_seconds)
		return;
	target->sweep_due_seconds = 0;
	for (size_t i = 0; i < target->module_count; i++) {
		struct target_module *probed = &target->modules[i];

		if (probed->link && !address_space_module_proc_path(target->space, probed->module,
								    path, sizeof(path)))
			table->backend->sweep(table->object, target->identity.pid, path,
					      probed->plan.points, probed->plan.point_count);
	}
}
