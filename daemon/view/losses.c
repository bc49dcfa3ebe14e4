/* SPDX-License-Identifier: Apache-2.0 */
#include "view/losses.h"

#include "view/state.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct loss_kind {
	const char *name;
	size_t offset; /* in struct record_target_counters */
	/* What is missing from the account because of it; NULL when nothing is. */
	const char *consequence;
};

#define LOSS(name, field, consequence)                                            \
	{                                                                         \
		name, offsetof(struct record_target_counters, field), consequence \
	}

static const struct loss_kind loss_kinds[] = {
	LOSS("map_full", lost_blocks_map_full,
	     "blocks are not accounted because the block map is full (raise blocks_max)"),
	LOSS("share_full", lost_blocks_share_full,
	     "blocks are not accounted because the target's share of the block map is used up "
	     "(raise blocks_max or the sampling interval)"),
	LOSS("error", lost_blocks_error,
	     "blocks are not accounted because the kernel had no memory or an argument could not "
	     "be read"),
	LOSS("sites_full", lost_sites,
	     "blocks are accounted without their stack because the site table, or the target's "
	     "share of it, is full (raise sites_max)"),
	LOSS("mapping_events", lost_mapping_events,
	     "mappings are not accounted because the event buffer was full (raise ring_buffer)"),
	LOSS("main_thread_exits", main_thread_exits,
	     "main thread has ended: the kernel takes the probes out of a process that goes on "
	     "without it"),
	LOSS("invalid_samples", invalid_samples,
	     "samples that the process reported are not accounted because their sizes or weights "
	     "cannot be"),
	LOSS("vanished_probes", vanished_probes,
	     "probes were taken out by a debugger, and put back within a second or two"),
	LOSS("missed_frees", missed_frees, NULL),
	LOSS("abandoned_calls", abandoned_calls, NULL),
	LOSS("delayed_stacks", delayed_stacks, NULL),
	LOSS("truncated_stacks", stack_ends[RECORD_STACK_END_TRUNCATED], NULL),
	LOSS("pending_stacks", stack_ends[RECORD_STACK_END_PENDING], NULL),
	LOSS("guessed_stacks", stack_ends[RECORD_STACK_END_FRAME_POINTER], NULL),
	LOSS("unknown_code_stacks", stack_ends[RECORD_STACK_END_UNKNOWN_CODE], NULL),
	LOSS("no_table_stacks", stack_ends[RECORD_STACK_END_NO_TABLE], NULL),
	LOSS("unsupported_rule_stacks", stack_ends[RECORD_STACK_END_UNSUPPORTED], NULL),
	LOSS("unreadable_stacks", stack_ends[RECORD_STACK_END_UNREADABLE], NULL),
	LOSS("corrupt_stacks", stack_ends[RECORD_STACK_END_CORRUPT], NULL),
	LOSS("guessed_root_stacks", stack_ends[RECORD_STACK_END_GUESSED_ROOT], NULL),
	LOSS("shortened_stacks", stack_ends[RECORD_STACK_END_SHORTENED], NULL),
	LOSS("python_truncated", python_ends[RECORD_PYTHON_END_TRUNCATED], NULL),
	LOSS("python_no_thread", python_ends[RECORD_PYTHON_END_NO_THREAD], NULL),
	LOSS("python_unreadable", python_ends[RECORD_PYTHON_END_UNREADABLE], NULL),
	LOSS("python_mismatch", python_ends[RECORD_PYTHON_END_MISMATCH], NULL),
};

#define LOSS_KINDS (sizeof(loss_kinds) / sizeof(loss_kinds[0]))

static uint64_t *loss_field(const struct record_target_counters *counters,
			    const struct loss_kind *kind)
{
	return (uint64_t *)((char *)counters + kind->offset);
}

struct answer_loss *losses_of_account(const struct account *account, size_t *count)
{
	struct answer_loss *losses = calloc(LOSS_KINDS, sizeof(*losses));

	*count = 0;
	if (!losses)
		return NULL;
	for (size_t i = 0; i < LOSS_KINDS; i++)
		losses[(*count)++] = (struct answer_loss){
			.name = loss_kinds[i].name,
			.count = *loss_field(&account->counters, &loss_kinds[i]),
		};
	return losses;
}

void losses_add_ended(struct record_target_counters *totals, const struct account *account)
{
	for (size_t i = 0; i < LOSS_KINDS; i++)
		*loss_field(totals, &loss_kinds[i]) +=
			*loss_field(&account->counters, &loss_kinds[i]);
}

struct answer_loss *losses_of_state(struct state *state, size_t *count)
{
	const struct record_host_counters *host = probe_object_host_counters(state->object);
	struct answer_loss *losses = calloc(LOSS_KINDS + 2, sizeof(*losses));
	struct account *account;
	size_t cursor = 0;

	*count = 0;
	if (!losses)
		return NULL;
	for (size_t i = 0; i < LOSS_KINDS; i++)
		losses[(*count)++] = (struct answer_loss){
			.name = loss_kinds[i].name,
			.count = *loss_field(&state->ended_losses, &loss_kinds[i]),
		};
	while ((account = account_next(state->accounts, &cursor))) {
		if (account->end_reason)
			continue;
		account_update(state->accounts, account);
		for (size_t i = 0; i < LOSS_KINDS; i++)
			losses[i].count += *loss_field(&account->counters, &loss_kinds[i]);
	}
	losses[(*count)++] = (struct answer_loss){.name = "lifecycle_events",
						  .count = host->lost_lifecycle_events};
	losses[(*count)++] =
		(struct answer_loss){.name = "oom_events", .count = host->lost_oom_events};
	return losses;
}

uint64_t losses_lost_events(const struct account *account)
{
	uint64_t sum = account->mappings_refused + account_stackless_sites(account);

	for (size_t i = 0; i < LOSS_KINDS; i++)
		if (loss_kinds[i].consequence)
			sum += *loss_field(&account->counters, &loss_kinds[i]);
	return sum;
}

char *losses_explain(const struct account *account)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	size_t stackless = account_stackless_sites(account);
	const char *separator = "";

	if (!out)
		return NULL;
	if (account->end_detail[0]) {
		fprintf(out, "the watch was ended over its budget: %s", account->end_detail);
		separator = "; ";
	}
	if (account->attach_failure[0]) {
		fprintf(out, "%s%s", separator, account->attach_failure);
		separator = "; ";
	}
	/* Right after an exec its files may not have been looked at yet, and are probed all the
	 * same. */
	if (!account->allocators[0] && !account->hits.allocations) {
		fprintf(out, "%sthe program uses no allocator that memwatch knows", separator);
		separator = "; ";
	}
	for (size_t i = 0; i < LOSS_KINDS; i++) {
		uint64_t count = *loss_field(&account->counters, &loss_kinds[i]);

		if (!count || !loss_kinds[i].consequence)
			continue;
		fprintf(out, "%s%llu %s", separator, (unsigned long long)count,
			loss_kinds[i].consequence);
		separator = "; ";
	}
	if (account->mappings_refused) {
		fprintf(out, "%s%llu mappings are not accounted: too many or out of range",
			separator, (unsigned long long)account->mappings_refused);
		separator = "; ";
	}
	if (stackless)
		fprintf(out,
			"%s%zu sites have no stack because the event buffer was full when they "
			"were made (raise ring_buffer)",
			separator, stackless);
	fclose(out);
	if (text && *text)
		return text;
	free(text);
	return NULL;
}
