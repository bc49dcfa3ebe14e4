/* SPDX-License-Identifier: Apache-2.0 */
/* The probes in a target: which of its modules carry them, and the copies that forks make of them.
 */
#include "clock.h"
#include "log.h"
#include "probe/plan.h"
#include "target/table.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * Most forks exec at once and lose their copied breakpoints by that; those that live on are swept
 * together after this.
 */
#define SWEEP_DELAY_SECONDS 1.0

/* Mappings are not read again sooner than this just because the loader was busy. */
#define REFRESH_SECONDS_MIN 0.05

struct target_module {
	struct module *module;
	struct probe_plan plan; /* cookies with the slot */
	struct probe_link *link;
};

static void detach_module(struct target_table *table, struct target_module *probed)
{
	table->backend->detach(probed->link);
	probe_plan_clear(&probed->plan);
	module_release(probed->module);
}

void target_detach(struct target_table *table, struct target *target)
{
	for (size_t i = 0; i < target->module_count; i++)
		detach_module(table, &target->modules[i]);
	free(target->modules);
	target->modules = NULL;
	target->module_count = 0;
	target->probe_count = 0;
	target->single_stepped_count = 0;
	target->allocators[0] = '\0';
}

static bool target_has_module(const struct target *target, const struct module *module)
{
	for (size_t i = 0; i < target->module_count; i++)
		if (target->modules[i].module == module)
			return true;
	return false;
}

static int attach_plan(struct target_table *table, struct target *target, struct module *module,
		       struct probe_plan *plan)
{
	struct target_module *grown;
	struct probe_link *link;
	char path[128];
	int error;

	for (size_t i = 0; i < plan->point_count; i++)
		plan->points[i].cookie |= (uint64_t)target->slot << RECORD_COOKIE_SLOT_SHIFT;
	grown = reallocarray(target->modules, target->module_count + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	target->modules = grown;
	error = address_space_module_proc_path(target->space, module, path, sizeof(path));
	if (!error)
		error = table->backend->attach(table->object, target->identity.pid, path,
					       plan->points, plan->point_count, &link);
	if (error)
		return error;
	target->modules[target->module_count++] =
		(struct target_module){.module = module_hold(module), .plan = *plan, .link = link};
	target->probe_count += plan->point_count;
	target->single_stepped_count += plan->single_stepped_count;
	return 0;
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

static void attach_module(struct target_table *table, struct target *target, struct module *module)
{
	struct probe_plan plan;
	int error;

	if (target_has_module(target, module) || module_word_bits(module) != 64)
		return;
	if (probe_plan_make(module_fd(module), &plan) || !plan.point_count)
		return;
	error = attach_plan(table, target, module, &plan);
	if (error) {
		snprintf(target->attach_failure, sizeof(target->attach_failure),
			 "probes could not be attached to %s: %s", module_path(module),
			 strerror(-error));
		log_write(LOG_WARN, "process %d (%s): %s", (int)target->identity.pid,
			  target->identity.comm, target->attach_failure);
		probe_plan_clear(&plan);
		return;
	}
	add_allocator(target, &plan);
}

int target_attach(struct target_table *table, struct target *target)
{
	int error = address_space_refresh(target->space);
	size_t count;

	target->is_refresh_due = false;
	if (error)
		return error;
	count = address_space_module_count(target->space);
	for (size_t i = 0; i < count; i++)
		attach_module(table, target, address_space_module(target->space, i));
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

static bool is_mapped(const struct target *target, const struct module *module)
{
	size_t count = address_space_module_count(target->space);

	for (size_t i = 0; i < count; i++)
		if (address_space_module(target->space, i) == module)
			return true;
	return false;
}

void target_prune_modules(struct target_table *table, struct target *target, double now_seconds)
{
	size_t count, kept = 0;

	if (target->prune_due_seconds <= 0 || now_seconds < target->prune_due_seconds)
		return;
	target->prune_due_seconds = 0;
	/* No modules at all: its main thread has ended, and /proc shows nothing of the others. */
	if (target_attach(table, target) || !address_space_module_count(target->space))
		return;
	count = target->module_count;
	target->probe_count = target->single_stepped_count = target->module_count = 0;
	target->allocators[0] = '\0';
	for (size_t i = 0; i < count; i++) {
		struct target_module *probed = &target->modules[i];

		if (!is_mapped(target, probed->module)) {
			detach_module(table, probed);
			continue;
		}
		target->probe_count += probed->plan.point_count;
		target->single_stepped_count += probed->plan.single_stepped_count;
		add_allocator(target, &probed->plan);
		target->modules[kept++] = *probed;
	}
	target->module_count = kept;
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

		if (!address_space_module_proc_path(target->space, probed->module, path,
						    sizeof(path)))
			table->backend->sweep(table->object, target->identity.pid, path,
					      probed->plan.points, probed->plan.point_count);
	}
}
