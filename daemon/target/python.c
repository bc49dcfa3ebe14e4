/* SPDX-License-Identifier: Apache-2.0 */
#include "target/python.h"

#include "clock.h"
#include "log.h"
#include "probe/object.h"
#include "python/process_memory.h"
#include "target/table.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An interpreter that isn't initialised yet is looked at again, less and less often. */
#define RETRY_SECONDS     0.05
#define RETRY_SECONDS_MAX 2.0
#define RETRIES_MAX       20

/* One target's share of a search. */
struct search_item {
	uint32_t slot;
	uint64_t cookie;
	uint32_t account;
	pid_t pid;
	int error;
	struct target_python *found;
	char reason[PYTHON_REASON_BYTES];
};

struct python_search {
	struct search_item *items;
	size_t count;
};

struct target_python *target_python_hold(struct target_python *python)
{
	__atomic_fetch_add(&python->references, 1, __ATOMIC_RELAXED);
	return python;
}

void target_python_release(struct target_python *python)
{
	if (!python || __atomic_sub_fetch(&python->references, 1, __ATOMIC_ACQ_REL))
		return;
	python_interpreter_free(python->interpreter);
	free(python);
}

void target_python_expect(struct target *target)
{
	if (target->python || target->is_python_due)
		return;
	target->is_python_due = true;
	target->python_tries = 0;
	target->python_due_seconds = 0;
}

static int publish(struct target_table *table, const struct target *target)
{
	struct record_python record = {0};

	if (target->python) {
		python_interpreter_record(target->python->interpreter, &record);
		record.account = target->account;
		record.code.start = target->python->code_start;
		record.code.end = target->python->code_end;
	}
	return probe_object_set_python(table->object, target->slot, &record);
}

void target_python_forget(struct target_table *table, struct target *target)
{
	if (!target->python)
		return;
	target_python_release(target->python);
	target->python = NULL;
	publish(table, target);
}

/* ---- Taking: under the lock ---- */

static bool is_due(const struct target *target, double now_seconds, double *pause_seconds)
{
	double rest = target->python_due_seconds - now_seconds;

	if (!target->is_python_due)
		return false;
	if (rest <= 0)
		return true;
	if (*pause_seconds < 0 || rest < *pause_seconds)
		*pause_seconds = rest;
	return false;
}

struct python_search *target_python_take(struct target_table *table, double *pause_seconds)
{
	struct python_search *search = calloc(1, sizeof(*search));
	double now = clock_monotonic_seconds();

	*pause_seconds = -1;
	if (search)
		search->items = calloc(table->slot_count, sizeof(*search->items));
	for (uint32_t slot = 0; search && search->items && slot < table->slot_count; slot++) {
		struct target *target = table->slots[slot];

		if (!target || !is_due(target, now, pause_seconds))
			continue;
		target->is_python_due = false;
		search->items[search->count++] = (struct search_item){.slot = slot,
								      .cookie = target->cookie,
								      .account = target->account,
								      .pid = target->identity.pid};
	}
	if (search && search->count)
		return search;
	if (search)
		free(search->items);
	free(search);
	return NULL;
}

/* ---- Searching: without the lock ---- */

static void find_code(const struct address_space *space, struct target_python *python)
{
	const struct module *module = python_interpreter_module(python->interpreter);
	struct address_space_code *code = calloc(RECORD_UNWIND_RANGES_MAX, sizeof(*code));
	size_t count = code ? address_space_code(space, code, RECORD_UNWIND_RANGES_MAX) : 0;

	for (size_t i = 0; i < count; i++) {
		if (code[i].module != module ||
		    code[i].end - code[i].start <= python->code_end - python->code_start)
			continue;
		python->code_start = code[i].start;
		python->code_end = code[i].end;
	}
	free(code);
}

static int find(struct search_item *item, struct address_space *space, struct target_python *python)
{
	struct process_memory memory;
	struct python_memory reader;
	int error = address_space_refresh(space);

	error = error ? error : process_memory_open(&memory, item->pid);
	if (error)
		return error;
	reader = process_memory_reader(&memory);
	error = python_interpreter_find(space, item->pid, &reader, &python->interpreter,
					item->reason);
	process_memory_close(&memory);
	if (!error)
		find_code(space, python);
	return error;
}

static void search_one(const struct target_table *table, struct search_item *item)
{
	struct address_space *space = address_space_new(item->pid, table->module_cache);
	struct target_python *python = calloc(1, sizeof(*python));

	item->error = space && python ? find(item, space, python) : -ENOMEM;
	address_space_free(space);
	if (item->error) {
		free(python);
		return;
	}
	python->references = 1;
	item->found = python;
}

void target_python_run(struct target_table *table, struct python_search *search)
{
	for (size_t i = 0; i < search->count; i++)
		search_one(table, &search->items[i]);
}

/* ---- Entering the results: under the lock ---- */

static void retry_later(struct target *target)
{
	double pause = RETRY_SECONDS;

	if (target->python_tries >= RETRIES_MAX)
		return;
	for (uint32_t i = 0; i < target->python_tries && pause < RETRY_SECONDS_MAX; i++)
		pause *= 2;
	target->python_tries++;
	target->is_python_due = true;
	target->python_due_seconds = clock_monotonic_seconds() + pause;
}

static void enter(struct target_table *table, struct search_item *item)
{
	struct target *target = table->slots[item->slot];

	if (!target || target->cookie != item->cookie || target->account != item->account)
		return;
	if (item->error == -EAGAIN)
		retry_later(target);
	target->is_python_pending = false;
	if (!item->found) {
		snprintf(target->python_refusal, sizeof(target->python_refusal), "%s",
			 item->reason);
		if (item->reason[0])
			log_write(LOG_WARN, "process %d: no Python frames: %s", (int)item->pid,
				  item->reason);
		return;
	}
	target->python_refusal[0] = '\0';
	target_python_release(target->python);
	target->python = item->found;
	item->found = NULL;
	if (publish(table, target))
		target_python_forget(table, target);
}

void target_python_done(struct target_table *table, struct python_search *search)
{
	for (size_t i = 0; i < search->count; i++) {
		enter(table, &search->items[i]);
		target_python_release(search->items[i].found);
	}
	free(search->items);
	free(search);
}
