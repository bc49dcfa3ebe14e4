/* SPDX-License-Identifier: Apache-2.0 */
/* Reading an account's numbers out of the kernel's tables, and adding them up. */
#include "account/table.h"
#include "clock.h"
#include "probe/contract.h"
#include "target/python.h"

#include <stdio.h>
#include <string.h>

/* Sites whose stack has not arrived: the kernel's table says whose they are. */
static void find_unannounced_sites(struct account_table *table, struct account *account)
{
	uint32_t end = probe_object_sites_end(table->object);
	const struct record_site *sites = probe_object_sites(table->object);
	size_t known = account->site_count - (account->overflow_site != NULL);

	if (known >= account->counters.sites + account->counters.rss_sites)
		return;
	for (uint32_t number = 0; number < end; number++)
		/* One without anything may be a number that two threads made and one gave back. */
		if (sites[number].account == account->number &&
		    (sites[number].allocated_objects || rss_is_changed(&sites[number].rss)))
			account_site(table, account, number);
}

static void subtract_counters(struct record_target_counters *counters,
			      const struct record_target_counters *before)
{
	counters->failed_allocations -= before->failed_allocations;
	counters->unknown_frees -= before->unknown_frees;
	counters->missed_frees -= before->missed_frees;
	counters->abandoned_calls -= before->abandoned_calls;
	counters->nested_calls -= before->nested_calls;
	counters->lost_blocks_map_full -= before->lost_blocks_map_full;
	counters->lost_blocks_share_full -= before->lost_blocks_share_full;
	counters->lost_blocks_error -= before->lost_blocks_error;
	counters->lost_sites -= before->lost_sites;
	counters->delayed_stacks -= before->delayed_stacks;
	counters->lost_mapping_events -= before->lost_mapping_events;
	counters->main_thread_exits -= before->main_thread_exits;
	counters->invalid_samples -= before->invalid_samples;
	counters->vanished_probes -= before->vanished_probes;
	counters->rss_samples -= before->rss_samples;
	counters->rss_samples_to_root -= before->rss_samples_to_root;
	counters->lost_rss_samples -= before->lost_rss_samples;
	counters->lost_rss_sites -= before->lost_rss_sites;
	counters->rss_grown_elsewhere_bytes -= before->rss_grown_elsewhere_bytes;
	counters->rss_shrunk_elsewhere_bytes -= before->rss_shrunk_elsewhere_bytes;
	for (int end = 0; end < RECORD_STACK_ENDS_COUNT; end++)
		counters->stack_ends[end] -= before->stack_ends[end];
	for (int end = 0; end < RECORD_PYTHON_ENDS_COUNT; end++)
		counters->python_ends[end] -= before->python_ends[end];
}

/* What was once known stays: of a program that has ended as well. */
static void copy_python(struct account *account, const struct target *target)
{
	if (target->python)
		snprintf(account->python_version, sizeof(account->python_version), "%s",
			 python_interpreter_version(target->python->interpreter));
	memcpy(account->python_refusal, target->python_refusal, sizeof(account->python_refusal));
}

static void copy_target(struct account *account, const struct target *target)
{
	account->generation = target->generation;
	memcpy(account->generation_start_seconds, target->generation_start_seconds,
	       sizeof(account->generation_start_seconds));
	memcpy(account->allocators, target->allocators, sizeof(account->allocators));
	memcpy(account->attach_failure, target->attach_failure, sizeof(account->attach_failure));
	/* Nothing is accounted before it is known by what. */
	account->is_contract = target->is_contract;
	memcpy(account->contract_refusal, target->contract_refusal,
	       sizeof(account->contract_refusal));
	copy_python(account, target);
	account->rss_refusal = target->rss_refusal;
	account->probe_count = target->probe_count;
	account->single_stepped_count = target->single_stepped_count;
	account->sampling_interval_bytes =
		target->is_contract ? 0 : target->sampling_interval_bytes;
	account->asked_interval_bytes = target->asked_interval_bytes;
	account->interval_raises = target->interval_raises;
	/* Once everybody has let go of it, what they said last remains. */
	if (target_budget_share(target) > 0)
		account->budget_share = target_budget_share(target);
	account->budget = target->budget;
}

void account_update_from(struct account_table *table, struct account *account,
			 const struct record_target_counters *counters)
{
	const struct record_site *sites = probe_object_sites(table->object);
	const struct target *target = account->target;

	if (account->end_reason || !target)
		return;
	account->counters =
		counters ? *counters : probe_object_counters(table->object)[target->slot];
	probe_object_hits(table->object, target->slot, &account->hits);
	account->hits.allocations -= account->hits_before.allocations;
	account->hits.frees -= account->hits_before.frees;
	account->hits.returns -= account->hits_before.returns;
	account->hits.idle_returns -= account->hits_before.idle_returns;
	account->hits.samples -= account->hits_before.samples;
	account->hits.single_stepped -= account->hits_before.single_stepped;
	account->hits.rss_changes -= account->hits_before.rss_changes;
	account->hits.rss_samples -= account->hits_before.rss_samples;
	subtract_counters(&account->counters, &account->counters_before);
	copy_target(account, target);
	find_unannounced_sites(table, account);
	for (size_t i = 0; i < account->site_count; i++)
		account->sites[i]->blocks = sites[account->sites[i]->number];
	account_look(table, account, clock_monotonic_seconds());
}

void account_update(struct account_table *table, struct account *account)
{
	account_update_from(table, account, NULL);
}

void account_read_numbers(const struct account *account, struct site_numbers *numbers)
{
	*numbers = (struct site_numbers){0};
	for (size_t i = 0; i < account->site_count; i++)
		site_add_numbers(account->sites[i], numbers);
}

size_t account_stackless_sites(const struct account *account)
{
	size_t count = 0;

	for (size_t i = 0; i < account->site_count; i++)
		count += !account->sites[i]->stack && !account->sites[i]->blocks.is_stack_sent;
	return count;
}

double account_observed_seconds(const struct account *account, double now_seconds)
{
	double end = account->end_reason ? account->ended_seconds : now_seconds;

	return end - account->began_seconds;
}

bool account_frees_are_known(const struct account *account)
{
	return account->sampling_interval_bytes <= 1;
}

const char *account_provider(const struct account *account)
{
	return account->is_contract ? CONTRACT_PROVIDER : "uprobes";
}
