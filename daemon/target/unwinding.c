/* SPDX-License-Identifier: Apache-2.0 */
#include "target/unwinding.h"

#include "clock.h"
#include "log.h"
#include "target/table.h"
#include "unwind/store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A file can be made to take for ever; the tables of the largest real programs take 0.5 s. */
#define BUILD_SECONDS_MAX 10.0

/* Tables of modules that no target maps any more are kept for the next one, but not that many. */
#define UNUSED_MODULES_MAX 128

/* A module that was looked into. */
struct known_module {
	struct module *module;        /* held */
	struct unwind_placed *placed; /* NULL: it has no tables */
	uint32_t users;               /* slots that map it */
	uint64_t last_used;
};

/* What a slot's ranges in the kernel refer to. */
struct slot_use {
	bool is_published;
	uint64_t cookie; /* of the watch */
	double build_seconds;
	uint64_t bytes;          /* of its modules' tables */
	struct module **modules; /* each once; known ones */
	size_t module_count;
	struct record_unwind_range *ranges;
	size_t range_count;
};

struct unwinding {
	struct probe_object *object;
	struct unwind_store *store;
	uint64_t bytes_max;
	struct known_module *known;
	size_t known_count;
	uint64_t uses; /* a clock for last_used */
	uint32_t last_serial;
	struct slot_use *slots;
	size_t slot_count;
	struct unwind_statistics statistics;
};

/* One target's share of a work. */
struct unwind_item {
	uint32_t slot;
	uint64_t cookie;
	uint32_t account;
	bool is_over;                    /* no target is in the slot any more */
	struct address_space_code *code; /* its modules are held */
	size_t code_count;
	struct slot_use use; /* what replaces the slot's */
	bool is_changed;
};

struct unwind_work {
	struct unwind_item *items;
	size_t item_count;
};

struct unwinding *unwinding_new(struct probe_object *object, uint64_t bytes_max)
{
	struct unwinding *unwinding = calloc(1, sizeof(*unwinding));
	struct probe_unwind_maps maps;

	if (!unwinding)
		return NULL;
	probe_object_unwind_maps(object, &maps);
	unwinding->object = object;
	unwinding->bytes_max = bytes_max;
	unwinding->slot_count = probe_object_limits(object)->targets_max;
	unwinding->slots = calloc(unwinding->slot_count, sizeof(*unwinding->slots));
	unwinding->store = unwind_store_new(&(struct unwind_store_maps){.spaces_fd = maps.spaces_fd,
									.chunks_fd = maps.chunks_fd,
									.pages_fd = maps.pages_fd,
									.rules_fd = maps.rules_fd},
					    bytes_max);
	if (!unwinding->slots || !unwinding->store) {
		unwinding_free(unwinding);
		return NULL;
	}
	return unwinding;
}

static void slot_use_clear(struct slot_use *use)
{
	free(use->modules);
	free(use->ranges);
	*use = (struct slot_use){0};
}

void unwinding_free(struct unwinding *unwinding)
{
	if (!unwinding)
		return;
	for (size_t i = 0; i < unwinding->known_count; i++) {
		unwind_store_remove(unwinding->store, unwinding->known[i].placed);
		module_release(unwinding->known[i].module);
	}
	for (size_t i = 0; unwinding->slots && i < unwinding->slot_count; i++)
		slot_use_clear(&unwinding->slots[i]);
	unwind_store_free(unwinding->store);
	free(unwinding->known);
	free(unwinding->slots);
	free(unwinding);
}

/* ---- Taking: under the lock ---- */

static struct unwind_item *work_add(struct unwind_work *work)
{
	struct unwind_item *grown = reallocarray(work->items, work->item_count + 1, sizeof(*grown));

	if (!grown)
		return NULL;
	work->items = grown;
	memset(&grown[work->item_count], 0, sizeof(*grown));
	return &grown[work->item_count++];
}

static void take_code(struct unwind_item *item, const struct address_space *space)
{
	item->code = calloc(RECORD_UNWIND_RANGES_MAX, sizeof(*item->code));
	if (!item->code)
		return;
	item->code_count = address_space_code(space, item->code, RECORD_UNWIND_RANGES_MAX);
	for (size_t i = 0; i < item->code_count; i++)
		if (item->code[i].module)
			module_hold(item->code[i].module);
}

static void take_slot(struct target_table *table, uint32_t slot, struct unwind_work *work)
{
	const struct slot_use *use = &table->unwinding->slots[slot];
	struct target *target = table->slots[slot];
	struct unwind_item *item;

	if (target ? !target->is_unwind_due : !use->is_published)
		return;
	item = work_add(work);
	if (!item)
		return;
	item->slot = slot;
	item->is_over = !target;
	if (!target)
		return;
	target->is_unwind_due = false;
	item->cookie = target->cookie;
	item->account = target->account;
	take_code(item, target->space);
}

struct unwind_work *target_unwind_take(struct target_table *table)
{
	struct unwind_work *work = calloc(1, sizeof(*work));

	if (!work)
		return NULL;
	for (uint32_t slot = 0; slot < table->slot_count; slot++)
		take_slot(table, slot, work);
	if (work->item_count)
		return work;
	free(work);
	return NULL;
}

/* ---- Tables: without the lock ---- */

static struct known_module *find_known(const struct unwinding *unwinding,
				       const struct module *module)
{
	for (size_t i = 0; i < unwinding->known_count; i++)
		if (unwinding->known[i].module == module)
			return &unwinding->known[i];
	return NULL;
}

static void forget(struct unwinding *unwinding, struct known_module *known)
{
	unwind_store_remove(unwinding->store, known->placed);
	unwinding->statistics.modules -= known->placed != NULL;
	module_release(known->module);
	*known = unwinding->known[--unwinding->known_count];
}

/* Forgets the module that has been unused longest. Returns whether there was one. */
static bool forget_oldest(struct unwinding *unwinding)
{
	struct known_module *oldest = NULL;

	for (size_t i = 0; i < unwinding->known_count; i++) {
		struct known_module *known = &unwinding->known[i];

		if (!known->users && (!oldest || known->last_used < oldest->last_used))
			oldest = known;
	}
	if (oldest)
		forget(unwinding, oldest);
	return oldest != NULL;
}

static void forget_unused(struct unwinding *unwinding)
{
	size_t unused = 0;

	for (size_t i = 0; i < unwinding->known_count; i++)
		unused += !unwinding->known[i].users;
	for (; unused > UNUSED_MODULES_MAX; unused--)
		forget_oldest(unwinding);
}

static int place(struct unwinding *unwinding, const struct unwind_table *table,
		 struct unwind_placed **placed)
{
	int error;

	do
		error = unwind_store_place(unwinding->store, table, placed);
	while (error == -ENOSPC && forget_oldest(unwinding));
	return error;
}

/* Its tables; NULL when it has none, or none can be had. */
static struct unwind_placed *build(struct unwinding *unwinding, const struct module *module)
{
	struct unwind_placed *placed = NULL;
	struct unwind_table *table = NULL;
	double began = clock_monotonic_seconds();
	int error = unwind_table_build(module_fd(module), &table);

	if (!error)
		error = place(unwinding, table, &placed);
	if (table)
		unwind_table_free(table);
	unwinding->statistics.builds++;
	unwinding->statistics.build_seconds += clock_monotonic_seconds() - began;
	if (!error) {
		unwinding->statistics.modules++;
		return placed;
	}
	if (error != -ENODATA) {
		unwinding->statistics.refused_modules++;
		log_write(LOG_WARN, "no unwind tables for %s: %s", module_path(module),
			  strerror(-error));
	}
	return NULL;
}

static struct known_module *make_known(struct unwinding *unwinding, struct module *module)
{
	struct unwind_placed *placed = build(unwinding, module);
	struct known_module *grown = reallocarray(unwinding->known, unwinding->known_count + 1,
						  sizeof(*unwinding->known));

	if (!grown) {
		unwind_store_remove(unwinding->store, placed);
		return NULL;
	}
	unwinding->known = grown;
	grown[unwinding->known_count] =
		(struct known_module){.module = module_hold(module), .placed = placed};
	return &grown[unwinding->known_count++];
}

static bool uses_module(const struct slot_use *use, const struct module *module)
{
	for (size_t i = 0; i < use->module_count; i++)
		if (use->modules[i] == module)
			return true;
	return false;
}

/*
 * The tables of a module that the item's target maps, which are now its own too. NULL: it has none,
 * or the target has had more than its share of time or room.
 */
static struct unwind_placed *use_module(struct unwinding *unwinding, struct unwind_item *item,
					struct module *module)
{
	struct known_module *known = find_known(unwinding, module);
	struct slot_use *use = &item->use;

	if (known && uses_module(use, module))
		return known->placed;
	if (!known) {
		double began = clock_monotonic_seconds();

		if (use->build_seconds > BUILD_SECONDS_MAX || use->bytes > unwinding->bytes_max / 2)
			return NULL;
		known = make_known(unwinding, module);
		use->build_seconds += clock_monotonic_seconds() - began;
	}
	if (!known)
		return NULL;
	known->last_used = ++unwinding->uses;
	known->users++;
	use->modules[use->module_count++] = module;
	use->bytes += known->placed ? unwind_placed_bytes(known->placed) : 0;
	return known->placed;
}

/* ---- Spaces: without the lock ---- */

static void release_use(struct unwinding *unwinding, struct slot_use *use)
{
	for (size_t i = 0; i < use->module_count; i++) {
		struct known_module *known = find_known(unwinding, use->modules[i]);

		if (known)
			known->users--;
	}
	slot_use_clear(use);
}

static struct record_unwind_range make_range(struct unwinding *unwinding, struct unwind_item *item,
					     const struct address_space_code *code)
{
	struct unwind_placed *placed = NULL;
	uint64_t address = 0;

	if (code->module)
		placed = use_module(unwinding, item, code->module);
	if (code->module &&
	    module_link_address(code->module, code->file_offset, code->end - code->start, &address))
		placed = NULL;
	return unwind_placed_range(placed, code->start, code->end, address);
}

/* The tables of a runtime that makes code, if the item's target has one. */
static const struct unwind_placed *find_runtime(const struct unwinding *unwinding,
						const struct slot_use *use)
{
	for (size_t i = 0; i < use->module_count; i++) {
		const struct known_module *known = find_known(unwinding, use->modules[i]);

		if (known && unwind_placed_makes_code(known->placed))
			return known->placed;
	}
	return NULL;
}

/* Code in no file is what the runtime has made. */
static void fill_made_ranges(struct unwinding *unwinding, struct unwind_item *item)
{
	const struct unwind_placed *runtime = find_runtime(unwinding, &item->use);

	if (!runtime)
		return;
	for (size_t i = 0; i < item->code_count; i++)
		if (!item->code[i].module)
			item->use.ranges[i] = unwind_placed_made_range(runtime, item->code[i].start,
								       item->code[i].end);
}

static int fill_ranges(struct unwinding *unwinding, struct unwind_item *item)
{
	const struct slot_use *before = &unwinding->slots[item->slot];
	struct slot_use *use = &item->use;

	use->cookie = item->cookie;
	use->build_seconds = before->cookie == item->cookie ? before->build_seconds : 0;
	use->modules = calloc(item->code_count + 1, sizeof(struct module *));
	use->ranges = calloc(item->code_count + 1, sizeof(*use->ranges));
	if (!item->code || !use->modules || !use->ranges)
		return -ENOMEM;
	for (size_t i = 0; i < item->code_count; i++)
		use->ranges[use->range_count++] = make_range(unwinding, item, &item->code[i]);
	fill_made_ranges(unwinding, item);
	return 0;
}

static bool is_same(const struct slot_use *use, const struct slot_use *before)
{
	return before->is_published && use->cookie == before->cookie &&
	       use->range_count == before->range_count &&
	       memcmp(use->ranges, before->ranges, use->range_count * sizeof(*use->ranges)) == 0;
}

static void run_item(struct unwinding *unwinding, struct unwind_item *item,
		     struct unwind_space_update *updates, size_t *count)
{
	if (item->is_over) {
		unwind_store_clear_space(unwinding->store, item->slot);
		release_use(unwinding, &unwinding->slots[item->slot]);
		return;
	}
	if (fill_ranges(unwinding, item) || !updates) {
		release_use(unwinding, &item->use);
		return;
	}
	item->is_changed = !is_same(&item->use, &unwinding->slots[item->slot]);
	if (item->is_changed)
		updates[(*count)++] =
			(struct unwind_space_update){.slot = item->slot,
						     .ranges = item->use.ranges,
						     .range_count = item->use.range_count};
}

/* Once no walk uses them: what the slots used before is released. */
static void replace_uses(struct unwinding *unwinding, struct unwind_work *work,
			 const struct unwind_space_update *updates, size_t count)
{
	for (size_t i = 0; i < work->item_count; i++) {
		struct unwind_item *item = &work->items[i];

		if (item->is_over || !item->use.ranges)
			continue;
		item->use.is_published = true;
		for (size_t j = 0; j < count; j++)
			if (updates[j].slot == item->slot && updates[j].error)
				item->use.is_published = false;
		if (!item->use.is_published) {
			release_use(unwinding, &item->use);
			continue;
		}
		release_use(unwinding, &unwinding->slots[item->slot]);
		unwinding->slots[item->slot] = item->use;
	}
}

void target_unwind_run(struct target_table *table, struct unwind_work *work)
{
	struct unwinding *unwinding = table->unwinding;
	struct unwind_space_update *updates = calloc(work->item_count, sizeof(*updates));
	size_t count = 0;

	for (size_t i = 0; i < work->item_count; i++)
		run_item(unwinding, &work->items[i], updates, &count);
	unwind_store_update_spaces(unwinding->store, updates, count);
	replace_uses(unwinding, work, updates, count);
	forget_unused(unwinding);
	unwinding->statistics.bytes = unwind_store_table_bytes(unwinding->store);
	unwinding->statistics.space_bytes = unwind_store_space_bytes(unwinding->store);
	free(updates);
}

/* ---- Entering the results: under the lock ---- */

/* Never 0, and another one than the cache's entries of this address were made with lately. */
static uint32_t next_serial(struct unwinding *unwinding)
{
	unwinding->last_serial++;
	if (unwinding->last_serial >> RECORD_UNWIND_SERIAL_BITS)
		unwinding->last_serial = 1;
	return unwinding->last_serial;
}

static void enter_item(struct target_table *table, const struct unwind_item *item)
{
	struct target *target = table->slots[item->slot];
	struct record_target_control *control;
	uint32_t serial;

	if (!target || item->is_over || target->cookie != item->cookie)
		return;
	/* What could not be made leaves what was there; nobody waits for it any longer. */
	if (target->account == item->account)
		target->is_unwind_pending = false;
	if (!item->use.is_published)
		return;
	control = &probe_object_controls(table->object)[item->slot];
	serial = item->is_changed ? next_serial(table->unwinding)
				  : (uint32_t)__atomic_load_n(&control->unwind, __ATOMIC_RELAXED);
	__atomic_store_n(&control->unwind, RECORD_UNWIND_SERIAL(item->account, serial),
			 __ATOMIC_RELEASE);
}

void target_unwind_done(struct target_table *table, struct unwind_work *work)
{
	for (size_t i = 0; i < work->item_count; i++) {
		struct unwind_item *item = &work->items[i];

		enter_item(table, item);
		for (size_t j = 0; j < item->code_count; j++)
			if (item->code[j].module)
				module_release(item->code[j].module);
		free(item->code);
	}
	free(work->items);
	free(work);
}

const struct unwind_statistics *target_unwind_statistics(const struct target_table *table)
{
	return &table->unwinding->statistics;
}
