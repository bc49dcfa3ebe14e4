/* SPDX-License-Identifier: Apache-2.0 */
#include "account/code_reading.h"

#include "python/code_table.h"
#include "python/process_memory.h"
#include "target/python.h"

#include <stdlib.h>

/* Stacks that wait, of a few hundred bytes each. */
#define WANTED_MAX 8192

/* How often memory that isn't there is looked at; then it is taken for swapped out. */
#define TRIES_MAX 3

/* One site's stack: the code objects of its Python frames, in their order. */
struct wanted_stack {
	uint32_t account; /* while that is known, so is its site */
	struct site *site;
	pid_t pid;
	struct target_python *python; /* held */
	uint64_t *addresses;
	struct python_code **codes; /* out: held, or NULL */
	size_t count;
	uint32_t tries;
	bool is_absent; /* out: of some there is nothing in memory now, as while pages are moved */
};

struct code_work {
	struct wanted_stack *stacks;
	size_t count;
};

struct code_reading {
	struct code_work wanted;
	size_t capacity;
	struct code_table *table; /* used by the reading thread alone */
	struct code_reading_statistics statistics;
};

struct code_reading *code_reading_new(void)
{
	struct code_reading *reading = calloc(1, sizeof(*reading));

	if (!reading)
		return NULL;
	reading->table = code_table_new();
	if (reading->table)
		return reading;
	free(reading);
	return NULL;
}

static void stack_clear(struct wanted_stack *stack)
{
	for (size_t i = 0; stack->codes && i < stack->count; i++)
		if (stack->codes[i])
			python_code_release(stack->codes[i]);
	free(stack->codes);
	free(stack->addresses);
	target_python_release(stack->python);
}

static void work_clear(struct code_work *work)
{
	for (size_t i = 0; i < work->count; i++)
		stack_clear(&work->stacks[i]);
	free(work->stacks);
	*work = (struct code_work){0};
}

void code_reading_free(struct code_reading *reading)
{
	if (!reading)
		return;
	work_clear(&reading->wanted);
	code_table_free(reading->table);
	free(reading);
}

/* Others read the sums meanwhile. */
static void count(struct code_reading *reading, const struct code_reading_statistics *more)
{
	struct code_reading_statistics *sums = &reading->statistics;

	__atomic_fetch_add(&sums->read_codes, more->read_codes, __ATOMIC_RELAXED);
	__atomic_fetch_add(&sums->reused_addresses, more->reused_addresses, __ATOMIC_RELAXED);
	__atomic_fetch_add(&sums->unreadable_codes, more->unreadable_codes, __ATOMIC_RELAXED);
	__atomic_fetch_add(&sums->dropped_stacks, more->dropped_stacks, __ATOMIC_RELAXED);
}

/* ---- Wanting ---- */

static struct wanted_stack *add_wanted(struct code_reading *reading)
{
	size_t capacity = reading->capacity ? 2 * reading->capacity : 64;
	struct wanted_stack *grown;

	if (reading->wanted.count == WANTED_MAX)
		return NULL;
	if (reading->wanted.count == reading->capacity) {
		grown = reallocarray(reading->wanted.stacks, capacity, sizeof(*grown));
		if (!grown)
			return NULL;
		reading->wanted.stacks = grown;
		reading->capacity = capacity;
	}
	return &reading->wanted.stacks[reading->wanted.count];
}

static size_t count_python(const struct stack *stack)
{
	size_t counted = 0;

	for (uint32_t i = 0; i < stack->frame_count; i++)
		counted += stack->frames[i].python_address != 0;
	return counted;
}

static void want_addresses(struct stack *stack, uint64_t *addresses)
{
	for (uint32_t i = 0; i < stack->frame_count; i++) {
		if (!stack->frames[i].python_address)
			continue;
		*addresses++ = stack->frames[i].python_address;
		stack->frames[i].is_code_wanted = true;
	}
}

void code_reading_want(struct code_reading *reading, const struct target *target, struct site *site)
{
	size_t frames = count_python(site->stack);
	struct wanted_stack *wanted;

	if (!frames || !target->python)
		return;
	wanted = add_wanted(reading);
	if (wanted) {
		*wanted = (struct wanted_stack){.account = target->account,
						.site = site,
						.pid = target->identity.pid,
						.count = frames};
		wanted->addresses = calloc(frames, sizeof(*wanted->addresses));
		wanted->codes = calloc(frames, sizeof(struct python_code *));
	}
	if (!wanted || !wanted->addresses || !wanted->codes) {
		if (wanted)
			stack_clear(wanted);
		count(reading, &(struct code_reading_statistics){.dropped_stacks = 1});
		return;
	}
	wanted->python = target_python_hold(target->python);
	want_addresses(site->stack, wanted->addresses);
	reading->wanted.count++;
}

bool code_reading_has_wanted(const struct code_reading *reading)
{
	return reading->wanted.count != 0;
}

/* ---- Reading ---- */

struct code_work *code_reading_take(struct code_reading *reading)
{
	struct code_work *work;

	if (!reading->wanted.count)
		return NULL;
	work = malloc(sizeof(*work));
	if (!work)
		return NULL;
	*work = reading->wanted;
	reading->wanted = (struct code_work){0};
	reading->capacity = 0;
	return work;
}

static void read_stack(struct code_reading *reading, struct wanted_stack *stack,
		       const struct python_memory *memory)
{
	const struct python_layout *layout = python_interpreter_layout(stack->python->interpreter);

	for (size_t i = 0; i < stack->count; i++) {
		enum code_found found;

		if (stack->codes[i])
			continue;
		stack->codes[i] = code_table_find(reading->table, stack->account, layout, memory,
						  stack->addresses[i], &found);
		if (found == CODE_ABSENT && stack->tries + 1 < TRIES_MAX) {
			stack->is_absent = true;
			continue;
		}
		count(reading, &(struct code_reading_statistics){
				       .read_codes = found == CODE_NEW || found == CODE_REPLACED,
				       .reused_addresses = found == CODE_REPLACED,
				       .unreadable_codes =
					       found == CODE_UNREADABLE || found == CODE_ABSENT});
	}
}

void code_reading_run(struct code_reading *reading, struct code_work *work)
{
	struct process_memory memory = {.pid = -1, .pagemap_fd = -1};

	for (size_t i = 0; i < work->count; i++) {
		struct wanted_stack *stack = &work->stacks[i];
		struct python_memory reader;

		if (stack->pid != memory.pid) {
			process_memory_close(&memory);
			process_memory_open(&memory, stack->pid);
		}
		reader = process_memory_reader(&memory);
		stack->is_absent = false;
		read_stack(reading, stack, &reader);
	}
	process_memory_close(&memory);
}

/* ---- Entering ---- */

static void enter_frame(struct stack_frame *frame, struct python_code *code)
{
	frame->python_code = python_code_hold(code);
	if (frame->offset == PYTHON_OFFSET_START)
		frame->line = python_code_first_line(code);
	else if (frame->offset != PYTHON_OFFSET_UNKNOWN)
		frame->line = python_code_line(code, (uint32_t)frame->offset);
}

static void enter_stack(struct stack *stack, const struct wanted_stack *wanted)
{
	size_t next = 0;

	for (uint32_t i = 0; i < stack->frame_count && next < wanted->count; i++) {
		struct stack_frame *frame = &stack->frames[i];

		if (!frame->python_address)
			continue;
		if (!frame->python_code && wanted->codes[next])
			enter_frame(frame, wanted->codes[next]);
		frame->is_code_wanted = false;
		next++;
	}
}

/* Puts a stack back, to be read once more. Returns whether there is room for it. */
static bool want_again(struct code_reading *reading, struct wanted_stack *stack)
{
	struct wanted_stack *wanted = add_wanted(reading);

	if (!wanted)
		return false;
	*wanted = *stack;
	wanted->tries++;
	reading->wanted.count++;
	*stack = (struct wanted_stack){0};
	return true;
}

bool code_reading_done(struct code_reading *reading, const struct account_table *table,
		       struct code_work *work)
{
	bool is_incomplete = false;

	for (size_t i = 0; i < work->count; i++) {
		struct wanted_stack *stack = &work->stacks[i];

		if (!account_by_number(table, stack->account))
			continue;
		if (stack->is_absent && want_again(reading, stack))
			is_incomplete = true;
		else
			enter_stack(stack->site->stack, stack);
	}
	work_clear(work);
	free(work);
	return is_incomplete;
}

void code_reading_read_statistics(const struct code_reading *reading,
				  struct code_reading_statistics *statistics)
{
	const struct code_reading_statistics *from = &reading->statistics;

	statistics->read_codes = __atomic_load_n(&from->read_codes, __ATOMIC_RELAXED);
	statistics->reused_addresses = __atomic_load_n(&from->reused_addresses, __ATOMIC_RELAXED);
	statistics->unreadable_codes = __atomic_load_n(&from->unreadable_codes, __ATOMIC_RELAXED);
	statistics->dropped_stacks = __atomic_load_n(&from->dropped_stacks, __ATOMIC_RELAXED);
}
