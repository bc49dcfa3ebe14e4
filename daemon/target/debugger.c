/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Debuggers in watched processes. One that sets a breakpoint remembers the byte that it found, and
 * writes it back when it removes its own or lets go: perhaps over a probe's breakpoint that came
 * later, perhaps a probe's breakpoint where there is no probe any more.
 */
#include "log.h"
#include "target/modules.h"
#include "target/probe_check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- A probe's breakpoint may be overwritten ---- */

static size_t count_missing(const struct target *target)
{
	size_t missing = 0;
	char path[64];
	int memory_fd;

	snprintf(path, sizeof(path), "/proc/%d/mem", (int)target->identity.pid);
	memory_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (memory_fd < 0)
		return 0;
	for (size_t i = 0; i < target->module_count; i++)
		if (target->modules[i].link)
			missing += probe_check_missing(memory_fd, target->space,
						       target->modules[i].module,
						       target->modules[i].plan.points,
						       target->modules[i].plan.point_count);
	close(memory_fd);
	return missing;
}

/*
 * While the debugger is there it may have stopped the process and taken its own breakpoints out for
 * that long. Where something else is mapped by now, nothing is missing.
 */
void target_restore_probes(struct target_table *table, struct target *target, double now_seconds)
{
	size_t missing = count_missing(target);

	if (!missing || process_is_traced(target->identity.pid) ||
	    address_space_refresh(target->space))
		return;
	missing = count_missing(target);
	if (!missing)
		return;
	log_write(LOG_WARN,
		  "process %d (%s): a debugger has taken %zu probes out; they are put back",
		  (int)target->identity.pid, target->identity.comm, missing);
	__atomic_fetch_add(&probe_object_counters(table->object)[target->slot].vanished_probes,
			   missing, __ATOMIC_RELAXED);
	/* A listener that comes writes breakpoints where the kernel believes that they are. */
	target->sweep_due_seconds = now_seconds;
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
