/* SPDX-License-Identifier: Apache-2.0 */
/* The modules of a target that have been looked into, and the probes in them. Under the lock. */
#include "target/modules.h"

#include "probe/contract.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * Probes in files that aren't mapped any more stay: a program that has just been executed will soon
 * map its libraries again. But no more than this, or else a chain of programs fills our tables.
 */
#define UNMAPPED_PROBED_MAX 16

static bool is_mapped(const struct target *target, const struct module *module)
{
	size_t count = address_space_module_count(target->space);

	for (size_t i = 0; i < count; i++)
		if (address_space_module(target->space, i) == module)
			return true;
	return false;
}

int target_module_stat(const struct target *target, const struct module *module,
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
	return !probed->link || (!target_module_stat(target, probed->module, &status) &&
				 status.st_dev == probed->device && status.st_ino == probed->inode);
}

bool target_has_module(const struct target *target, const struct module *module)
{
	for (size_t i = 0; i < target->module_count; i++)
		if (target->modules[i].module == module && is_current(target, &target->modules[i]))
			return true;
	return false;
}

/* ---- Coming and going ---- */

int target_module_add(struct target *target, const struct target_module *probed)
{
	struct target_module *grown =
		reallocarray(target->modules, target->module_count + 1, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	target->modules = grown;
	grown[target->module_count++] = *probed;
	return 0;
}

void target_module_release(struct target_table *table, struct target_module *probed)
{
	target_link_orphan(table, probed->link);
	/* Until the link is out, hits find another's description, in a slot that is disabled. */
	contract_release(table->object, &probed->plan);
	probe_plan_clear(&probed->plan);
	module_release(probed->module);
}

void target_modules_release(struct target_table *table, struct target *target)
{
	for (size_t i = 0; i < target->module_count; i++)
		target_module_release(table, &target->modules[i]);
	free(target->modules);
	target->modules = NULL;
	target->module_count = 0;
	target_modules_describe(target);
}

void target_modules_release_unmapped(struct target_table *table, struct target *target, bool is_all)
{
	size_t unmapped_probed_max = is_all ? 0 : UNMAPPED_PROBED_MAX;
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
			target_module_release(table, probed);
	}
	target->module_count = kept;
}

/* ---- Processes that report their own samples ---- */

size_t target_contract_points(const struct target *target)
{
	size_t count = 0;

	for (size_t i = 0; i < target->module_count; i++)
		count += target->modules[i].plan.contract_count;
	return count;
}

bool target_is_contract_allocator(const struct target *target, const struct module *module,
				  uint64_t file_offset)
{
	for (size_t i = 0; target->is_contract && i < target->module_count; i++)
		if (target->modules[i].module == module)
			return contract_is_allocator_code(&target->modules[i].plan, file_offset);
	return false;
}

/* ---- In words and numbers ---- */

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

void target_modules_describe(struct target *target)
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
