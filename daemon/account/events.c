/* SPDX-License-Identifier: Apache-2.0 */
/* What the probes report: new stacks, and mappings that come and go. */
#include "account/code_reading.h"
#include "account/python_arena.h"
#include "account/python_stack.h"
#include "account/table.h"
#include "target/python.h"

#include <string.h>
#include <sys/mman.h>

/* The account an event belongs to, if it still goes on. */
static struct account *living_account(struct account_table *table, const struct record_event *event)
{
	struct account *account = account_by_number(table, event->account);

	return account && !account->end_reason ? account : NULL;
}

static struct stack *normalise_native(struct target *target, const struct record_event_stack *event)
{
	bool has_unknown;
	struct stack *stack = stack_new(target->space, (const uint64_t *)event->frames,
					event->frame_count, event->end, &has_unknown);

	/*
	 * A mapping we haven't seen (dlopen by other means than the loader's hook), or a frame
	 * pointer that is none. Only the direct caller is sure to be code: worth a look.
	 */
	if (!stack || !has_unknown || stack->frames[0].module || stack->frames[0].code)
		return stack;
	target_refresh_space(target);
	stack_free(stack);
	return stack_new(target->space, (const uint64_t *)event->frames, event->frame_count,
			 event->end, &has_unknown);
}

static struct stack *normalise(struct target *target, const struct record_event_stack *event)
{
	const uint64_t *words = (const uint64_t *)event->frames;
	struct python_words python = {.words = words + event->frame_count,
				      .count = event->python_count,
				      .end = event->python_end};
	struct stack *native = normalise_native(target, event);

	if (!native)
		return NULL;
	return python_stack_merge(native, words, &python,
				  target->python ? target->python->interpreter : NULL);
}

/* Code that has appeared without the loader, as JIT compilers make it, and isn't known yet. */
static bool passes_unknown_code(const struct target *target, const struct record_event_stack *event)
{
	for (uint32_t i = 0; i < event->frame_count; i++)
		if (!address_space_has_code(target->space, event->frames[i] - 1))
			return true;
	return false;
}

void account_handle_stack(struct account_table *table, struct target_table *targets,
			  const struct record_event_stack *event)
{
	struct account *account = living_account(table, &event->event);
	struct target *target = target_by_account(targets, event->event.slot, event->event.account);
	struct site *site = account ? account_site(table, account, event->site) : NULL;

	if (!site || !target || site->stack)
		return;
	if (event->end != RECORD_STACK_END_ROOT && passes_unknown_code(target, event))
		target->is_attach_due = target->is_space_due = true;
	target_refresh_space_if_due(target);
	site->stack = normalise(target, event);
	if (site->stack)
		code_reading_want(table->code_reading, target, site);
	if (site->stack)
		stack_want_names(site->stack, table->namer);
}

/*
 * Whether an allocator has mapped it for itself. Where the allocator's calls are probed the
 * kernel's side knows; where they aren't, because the process reports its own samples, the caller
 * tells.
 */
static bool is_allocators_own(struct account_table *table, struct account *account,
			      const struct record_event_mapping *event, uint32_t number)
{
	const struct site *site;

	if (event->is_inside_allocator || !account->target->is_contract)
		return event->is_inside_allocator;
	site = number == SITE_NUMBER_NONE ? NULL : account_site(table, account, number);
	return site && site->stack && site->stack->frame_count &&
	       target_is_contract_allocator(account->target, site->stack->frames[0].module,
					    site->stack->frames[0].offset);
}

/* An interpreter that isn't known (yet) has no arenas. */
static void note_kind(struct account_table *table, struct account *account,
		      const struct record_event_mapping *event, uint32_t number)
{
	const struct target_python *python = account->target->python;
	struct site *site = account_site(table, account, number);

	if (!site)
		return;
	if (python && python->interpreter &&
	    python_arena_is_like(python_interpreter_layout(python->interpreter)->version, event))
		site->has_arenas = true;
	else
		site->has_other_mappings = true;
}

static void apply_mapping(struct account_table *table, struct account *account,
			  const struct record_event_mapping *event, uint32_t number)
{
	uint32_t generation = account->target->generation;
	bool is_reservation = event->protection == PROT_NONE;
	int error;

	switch (event->operation) {
	case RECORD_OPERATION_MAP:
		/* Whatever lay there is gone, whoever asked for the new mapping. */
		error = mapping_table_unmap(account->mappings, event->address, event->length_bytes);
		if (is_allocators_own(table, account, event, number))
			account->allocator_mapping_bytes += event->length_bytes;
		else if (!error && !is_reservation && number != SITE_NUMBER_NONE) {
			note_kind(table, account, event, number);
			error = mapping_table_map(account->mappings, event->address,
						  event->length_bytes, number, generation);
		}
		break;
	case RECORD_OPERATION_UNMAP:
		error = mapping_table_unmap(account->mappings, event->address, event->length_bytes);
		break;
	case RECORD_OPERATION_REMAP:
		error = mapping_table_remap(account->mappings, event->old_address,
					    event->old_length_bytes, event->address,
					    event->length_bytes, event->flags & MREMAP_DONTUNMAP,
					    number, generation);
		break;
	default:
		return;
	}
	if (error)
		account->mappings_refused++;
}

void account_handle_mapping(struct account_table *table, const struct record_event_mapping *event)
{
	struct account *account = living_account(table, &event->event);

	if (!account || !account->target)
		return;
	/* Sites travel as number + 1; 0: none was needed, or none could be had. */
	apply_mapping(table, account, event, event->site ? event->site - 1 : SITE_NUMBER_NONE);
}
