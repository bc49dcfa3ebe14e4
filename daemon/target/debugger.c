/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Debuggers in watched processes. One that sets a breakpoint remembers the byte that it found, and
 * writes it back when it removes its own or lets go: perhaps over a probe's breakpoint that came
 * later, perhaps a probe's breakpoint where there is no probe any more.
 */
#include "clock.h"
#include "log.h"
#include "target/modules.h"
#include "target/probe_check.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- A probe's breakpoint may be overwritten ---- */

/* The probes of one target, to be looked at. */
struct target_check {
	struct target_check *next;
	pid_t pid;
	uint32_t slot, account;
	size_t missing;
	struct probe_place *places;
	size_t place_count;
};

void target_follow_tracer(struct target *target)
{
	bool is_traced = process_is_traced(target->identity.pid);

	target->is_check_due |= target->is_traced && !is_traced;
	target->is_traced = is_traced;
}

static int add_places(struct target_check *check, const struct target *target,
		      const struct target_module *probed)
{
	size_t count = probed->plan.point_count;
	struct probe_place *grown =
		reallocarray(check->places, check->place_count + count, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	check->places = grown;
	for (size_t i = 0; i < count; i++) {
		struct probe_place *place = &grown[check->place_count];
		uint64_t offset = probed->plan.points[i].file_offset;

		if (address_space_find(target->space, probed->module, offset, &place->address))
			continue;
		place->file_offset = offset;
		place->module = module_hold(probed->module);
		check->place_count++;
	}
	return 0;
}

static struct target_check *check_new(const struct target *target)
{
	struct target_check *check = calloc(1, sizeof(*check));

	if (!check)
		return NULL;
	check->pid = target->identity.pid;
	check->slot = target->slot;
	check->account = target->account;
	for (size_t i = 0; i < target->module_count; i++)
		if (target->modules[i].link && add_places(check, target, &target->modules[i]))
			break; /* the others count as there, and are restored all the same */
	return check;
}

struct target_check *target_checks_take(struct target_table *table)
{
	struct target_check *checks = NULL;
	struct target *target;
	size_t cursor = 0;

	while ((target = target_next(table, &cursor))) {
		struct target_check *check;

		if (!target->is_check_due)
			continue;
		target->is_check_due = false;
		/* Where something else is mapped by now, nothing is missing. */
		check = address_space_refresh(target->space) ? NULL : check_new(target);
		if (!check)
			continue;
		check->next = checks;
		checks = check;
	}
	return checks;
}

void target_checks_run(struct target_check *checks)
{
	for (; checks; checks = checks->next)
		checks->missing =
			probe_places_missing(checks->pid, checks->places, checks->place_count);
}

static void enter_check(struct target_table *table, const struct target_check *check)
{
	struct target *target = target_by_account(table, check->slot, check->account);

	if (!target || !check->missing)
		return;
	log_write(LOG_WARN,
		  "process %d (%s): a debugger has taken %zu probes out; they are put back",
		  (int)target->identity.pid, target->identity.comm, check->missing);
	__atomic_fetch_add(&probe_object_counters(table->object)[target->slot].vanished_probes,
			   check->missing, __ATOMIC_RELAXED);
	/* A listener that comes writes breakpoints where the kernel believes that they are. */
	target->sweep_due_seconds = clock_monotonic_seconds();
}

void target_checks_done(struct target_table *table, struct target_check *checks)
{
	while (checks) {
		struct target_check *next = checks->next;

		enter_check(table, checks);
		for (size_t i = 0; i < checks->place_count; i++)
			module_release(checks->places[i].module);
		free(checks->places);
		free(checks);
		checks = next;
	}
}

/* ---- A probe's breakpoint may be written where there is none ---- */

static void hold_module(struct target_table *table, const struct target *target,
			const struct target_module *probed)
{
	struct idle_probes *probes;
	char path[128];

	if (!probed->link ||
	    address_space_module_proc_path(target->space, probed->module, path, sizeof(path)))
		return;
	probes = idle_probes_open(target->identity.pid, path, probed->plan.points,
				  probed->plan.point_count);
	if (probes)
		debugged_add(&table->debugged, &target->identity, probes);
	else
		log_write(LOG_WARN,
			  "process %d (%s) is unwatched while it is debugged: a breakpoint of the "
			  "debugger on a probe may end it when the debugger lets go: %s",
			  (int)target->identity.pid, target->identity.comm, strerror(errno));
}

void target_hold_for_debugger(struct target_table *table, const struct target *target)
{
	if (target->is_over || !process_is_traced(target->identity.pid))
		return;
	for (size_t i = 0; i < target->module_count; i++)
		hold_module(table, target, &target->modules[i]);
}

struct debugged *target_debugged_take(struct target_table *table)
{
	return debugged_take(&table->debugged, false);
}
