/* SPDX-License-Identifier: Apache-2.0 */
#include "target/target.h"

#include "clock.h"
#include "probe/rss_profile.h"
#include "target/modules.h"
#include "target/python.h"
#include "target/unwinding.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * A generation lasts a sixteenth of the target's age, so that the ring always spans the better part
 * of it, but at least this long.
 */
#define GENERATION_SECONDS_MIN 1.0

/* By then the loader has mapped what a new program is linked with. */
#define PRUNE_DELAY_SECONDS 5.0

__attribute__((format(printf, 2, 3))) static void set_error(struct process_error *error,
							    const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(error->message, sizeof(error->message), format, arguments);
	va_end(arguments);
}

struct target_table *target_table_new(struct probe_object *object, struct module_cache *modules,
				      const struct probe_backend *backend,
				      uint64_t unwind_bytes_max)
{
	struct target_table *table = calloc(1, sizeof(*table));

	if (!table)
		return NULL;
	table->object = object;
	table->module_cache = modules;
	table->backend = backend;
	table->slot_count = probe_object_limits(object)->targets_max;
	table->slots = calloc(table->slot_count, sizeof(struct target *));
	table->is_draining = calloc(table->slot_count, sizeof(*table->is_draining));
	table->unwinding = unwinding_new(object, unwind_bytes_max);
	if (!table->slots || !table->is_draining || !table->unwinding) {
		unwinding_free(table->unwinding);
		free(table->slots);
		free(table->is_draining);
		free(table);
		return NULL;
	}
	return table;
}

void target_table_free(struct target_table *table)
{
	struct target_links *orphans;

	if (!table)
		return;
	for (size_t slot = 0; slot < table->slot_count; slot++) {
		if (!table->slots[slot])
			continue;
		table->slots[slot]->is_over = true;
		target_unwatch(table, table->slots[slot]);
	}
	orphans = target_orphans_take(table);
	target_orphans_detach(orphans);
	target_orphans_free(table, orphans);
	debugged_close(debugged_take(&table->debugged, true));
	unwinding_free(table->unwinding);
	free(table->slots);
	free(table->is_draining);
	free(table);
}

/* ---- Beginning and end ---- */

static struct record_target_control *control_of(struct target_table *table,
						const struct target *target)
{
	return &probe_object_controls(table->object)[target->slot];
}

static struct record_target_counters *counters_of(struct target_table *table,
						  const struct target *target)
{
	return &probe_object_counters(table->object)[target->slot];
}

static void begin_account(struct target_table *table, struct target *target, uint32_t account)
{
	double now = clock_monotonic_seconds();

	target->account = account;
	target->watched_since_seconds = now;
	target->generation = 1;
	target->generation_start_seconds[1] = now;
	control_of(table, target)->generation = 1;
	counters_of(table, target)->overflow_site =
		probe_object_new_overflow_site(table->object, account);
}

static void open_slot(struct target_table *table, struct target *target)
{
	struct record_target_control *control = control_of(table, target);
	struct record_target_counters *counters = counters_of(table, target);
	uint32_t account = probe_object_new_account(table->object);

	memset(counters, 0, sizeof(*counters));
	probe_object_reset_hits(table->object, target->slot);
	counters->account = account;
	begin_account(table, target, account);
	control->sampling_interval_bytes = target->sampling_interval_bytes;
	control->unwind = 0;
	control->watch = (control->watch + 1) & RECORD_WATCH_MASK;
	target->cookie = (uint64_t)target->slot << RECORD_COOKIE_SLOT_SHIFT |
			 (uint64_t)control->watch << RECORD_COOKIE_WATCH_SHIFT;
	target_meter_begin(&target->meter, target->identity.pid);
	target_table_share(table);
	control->is_enabled = 1;
}

static struct target *slot_take(struct target_table *table)
{
	struct target *target;

	for (size_t slot = 0; slot < table->slot_count; slot++) {
		if (table->slots[slot] || table->is_draining[slot])
			continue;
		target = calloc(1, sizeof(*target));
		if (!target)
			return NULL;
		target->slot = (uint32_t)slot;
		table->slots[slot] = target;
		return target;
	}
	return NULL;
}

/* Whether the pid still names the process, and for the same user, as before the probes went in. */
static bool is_same_process(const struct process_identity *identity)
{
	struct process_identity now;

	return !process_identify(identity->pid, &now) && now.start_ticks == identity->start_ticks &&
	       now.uid == identity->uid;
}

static int explain_watch_error(int error, int pid, struct process_error *message)
{
	if (error == -ESRCH)
		set_error(message, "process %d has just exited", pid);
	else if (error == -EACCES || error == -EPERM)
		set_error(message,
			  "cannot read /proc/%d/maps: %s (memwatchd needs CAP_SYS_PTRACE; see "
			  "memwatchctl doctor)",
			  pid, strerror(-error));
	else
		set_error(message, "cannot watch process %d: %s", pid, strerror(-error));
	return error;
}

/* Nothing failed: what its files bring can't be probed. */
static bool has_shortcoming(const struct target *target)
{
	for (size_t i = 0; i < target->module_count; i++)
		if (target->modules[i].plan.shortcoming[0])
			return true;
	return false;
}

static int explain_no_allocator(const struct target *target, struct process_error *message)
{
	int pid = (int)target->identity.pid;

	if (target->attach_failure[0])
		set_error(message, "process %d: %s", pid, target->attach_failure);
	else if (address_space_unreadable(target->space))
		set_error(message,
			  "process %d: %zu of its mapped program files cannot be opened, and no "
			  "known allocator is in the others",
			  pid, address_space_unreadable(target->space));
	else
		set_error(message,
			  "process %d uses no allocator that memwatch knows (glibc, musl, "
			  "jemalloc, tcmalloc, mimalloc, or another that defines malloc)",
			  pid);
	return target->attach_failure[0] && !has_shortcoming(target) ? -EIO : -ENOEXEC;
}

static void follow_rss(struct target_table *table, struct target *target)
{
	int error = rss_profile_follow(probe_object_rss(table->object), target->slot);

	if (error == -ENOTSUP)
		target->rss_refusal = "this kernel has no tracepoint kmem:rss_stat with BTF";
	else if (error)
		target->rss_refusal = "the tracepoint kmem:rss_stat could not be attached to";
}

int target_watch(struct target_table *table, pid_t pid, uint64_t sampling_interval_bytes,
		 struct target **watched, struct process_error *message)
{
	struct process_identity identity;
	struct target *target;
	int error;

	if (!table->backend) {
		set_error(message, "no attach back end works here, so that no process can be "
				   "watched (memwatchctl doctor says why)");
		return -ENOTSUP;
	}
	error = process_check(pid, &identity, message);
	error = error ? error : seccomp_check(&table->seccomp, pid, message);
	if (error)
		return error;
	target = slot_take(table);
	if (!target) {
		set_error(message,
			  "%zu processes are watched already, the most that targets_max allows",
			  target_count(table));
		return -ENOSPC;
	}
	target->identity = identity;
	target->sampling_interval_bytes = sampling_interval_bytes;
	target->asked_interval_bytes = sampling_interval_bytes;
	target->space = address_space_new(pid, table->module_cache);
	target->is_new = target->is_attach_due = true;
	target->is_unwind_pending = target->is_python_pending = true;
	/* A tracer that came before the probes is the one that may take them out as it goes. */
	target->is_traced = process_is_traced(pid);
	open_slot(table, target);
	error = target->space ? 0 : -ENOMEM;
	/* First the lifecycle, then the probes: an exec or exit meanwhile is not missed. */
	error = error ? error : probe_object_set_slot(table->object, (uint32_t)pid, target->slot);
	if (error) {
		target_unwatch(table, target);
		return explain_watch_error(error, (int)pid, message);
	}
	follow_rss(table, target);
	*watched = target;
	return 0;
}

int target_check_watched(const struct target *target, struct process_error *message)
{
	int error = target->attach_error;

	if (!error && !is_same_process(&target->identity))
		error = -ESRCH;
	if (error)
		return explain_watch_error(error, (int)target->identity.pid, message);
	return target->allocators[0] ? 0 : explain_no_allocator(target, message);
}

void target_free(struct target_table *table, struct target *target)
{
	target_hold_for_debugger(table, target);
	target_modules_release(table, target);
	/* Nothing hits the probes of a process that is over: its slot can be another's at once. */
	if (!target->is_over)
		target_slot_drain(table, target->slot);
	else
		table->is_draining[target->slot] = false;
	address_space_free(target->space);
	target_python_release(target->python);
	free(target);
}

void target_unwatch(struct target_table *table, struct target *target)
{
	control_of(table, target)->is_enabled = 0;
	probe_object_clear_slot(table->object, (uint32_t)target->identity.pid);
	rss_profile_leave(probe_object_rss(table->object), target->slot);
	counters_of(table, target)->account = 0;
	table->slots[target->slot] = NULL;
	table->is_draining[target->slot] = true;
	target->is_unwatched = true;
	if (!target->is_work_under_way)
		target_free(table, target);
}

void target_attach_now(struct target_table *table, struct target *target)
{
	struct target_work *work = target_work_take(table, target);
	struct unwind_work *unwind;

	if (!work)
		return;
	target_work_run(work);
	target_work_done(table, work);
	unwind = target_unwind_take(table);
	if (!unwind)
		return;
	target_unwind_run(table, unwind);
	target_unwind_done(table, unwind);
}

void target_unwatch_now(struct target_table *table, struct target *target)
{
	uint32_t account = target->account;
	struct target_links *orphans;

	target_unwatch(table, target);
	orphans = target_orphans_take(table);
	target_orphans_detach(orphans);
	target_orphans_free(table, orphans);
	probe_object_purge(table->object, &account, 1);
}

void target_handle_exec(struct target_table *table, struct target *target, uint32_t new_account,
			bool is_leader_changed, uid_t uid)
{
	struct address_space *space = address_space_new(target->identity.pid, table->module_cache);
	struct process_identity identity;

	begin_account(table, target, new_account);
	target_python_forget(table, target);
	if (!process_identify(target->identity.pid, &identity))
		target->identity = identity;
	/* What /proc says now may be of another program still, or of a zombie. */
	target->identity.uid = uid;
	if (space) {
		address_space_free(target->space);
		target->space = space;
	}
	/* What the loader maps next is wanted at once. */
	target->attach_paced_seconds = target->space_paced_seconds = 0;
	target->is_attach_due = target->is_space_due = true;
	target->is_unwind_pending = target->is_python_pending = true;
	/*
	 * Links follow the task. Those on files that the new program maps as well work from its
	 * first instruction; so they stay, unless the task itself is another one now.
	 */
	if (is_leader_changed || target->is_contract) {
		target_modules_release(table, target);
		target->attach_epoch++;
	}
	/* What reports its own samples was probed in other places than the new program may need. */
	target->is_contract = target->is_contract_due = false;
	target->contract_refusal[0] = target->attach_failure[0] = '\0';
	target->prune_due_seconds = target->watched_since_seconds + PRUNE_DELAY_SECONDS;
}

/* ---- Finding ---- */

struct target *target_by_pid(const struct target_table *table, pid_t pid)
{
	for (size_t slot = 0; slot < table->slot_count; slot++)
		if (table->slots[slot] && table->slots[slot]->identity.pid == pid)
			return table->slots[slot];
	return NULL;
}

struct target *target_by_account(const struct target_table *table, uint32_t slot, uint32_t account)
{
	if (slot >= table->slot_count || !table->slots[slot] ||
	    table->slots[slot]->account != account)
		return NULL;
	return table->slots[slot];
}

struct probe_object *target_table_object(const struct target_table *table)
{
	return table->object;
}

const struct seccomp_trial *target_table_seccomp(const struct target_table *table)
{
	return &table->seccomp;
}

size_t target_count(const struct target_table *table)
{
	size_t count = 0;

	for (size_t slot = 0; slot < table->slot_count; slot++)
		count += table->slots[slot] != NULL;
	return count;
}

size_t target_max(const struct target_table *table)
{
	return table->slot_count;
}

struct target *target_next(const struct target_table *table, size_t *cursor)
{
	while (*cursor < table->slot_count) {
		struct target *target = table->slots[(*cursor)++];

		if (target)
			return target;
	}
	return NULL;
}

/* ---- What time brings ---- */

void target_advance_generation(struct target_table *table, struct target *target,
			       double now_seconds)
{
	double age = now_seconds - target->watched_since_seconds;
	double began = target->generation_start_seconds[target->generation % RECORD_GENERATIONS];
	double lasts = age / RECORD_GENERATIONS;

	if (lasts < GENERATION_SECONDS_MIN)
		lasts = GENERATION_SECONDS_MIN;
	if (now_seconds - began < lasts)
		return;
	target->generation++;
	target->generation_start_seconds[target->generation % RECORD_GENERATIONS] = now_seconds;
	__atomic_store_n(&control_of(table, target)->generation, target->generation,
			 __ATOMIC_RELAXED);
}
