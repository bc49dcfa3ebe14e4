/* SPDX-License-Identifier: Apache-2.0 */
#include "account/account.h"

#include "account/code_reading.h"
#include "account/table.h"
#include "clock.h"

#include <stdlib.h>
#include <string.h>

/* Mappings of one process: Linux itself allows 65,530 by default (vm.max_map_count). */
#define MAPPINGS_MAX 262144

struct account_table *account_table_new(struct probe_object *object, struct namer *namer,
					size_t ended_max)
{
	struct account_table *table = calloc(1, sizeof(*table));

	if (!table)
		return NULL;
	table->object = object;
	table->namer = namer;
	table->ended_max = ended_max;
	table->by_number = calloc(probe_object_site_count(object), sizeof(struct site *));
	table->code_reading = code_reading_new();
	if (!table->by_number || !table->code_reading) {
		account_table_free(table);
		return NULL;
	}
	return table;
}

struct code_reading *account_table_code_reading(const struct account_table *table)
{
	return table->code_reading;
}

static void account_free(struct account *account)
{
	for (size_t i = 0; i < account->site_count; i++)
		site_free(account->sites[i]);
	free(account->sites);
	mapping_table_free(account->mappings);
	free(account);
}

struct account *account_hold(struct account *account)
{
	account->references++;
	return account;
}

void account_release(struct account *account)
{
	if (account && --account->references == 0)
		account_free(account);
}

void account_table_free(struct account_table *table)
{
	if (!table)
		return;
	for (size_t i = 0; i < table->count; i++)
		account_release(table->accounts[i]);
	free(table->accounts);
	code_reading_free(table->code_reading);
	free(table->by_number);
	free(table->purge_accounts);
	free(table);
}

/* ---- Sites ---- */

struct site *account_site(struct account_table *table, struct account *account, uint32_t number)
{
	struct site *site;

	/* An event of an account that was purged while it was under way names another's site. */
	if (number >= probe_object_site_count(table->object) ||
	    probe_object_sites(table->object)[number].account != account->number)
		return NULL;
	if (table->by_number[number])
		return table->by_number[number];
	if (account->site_count == account->site_capacity) {
		size_t capacity = account->site_capacity ? account->site_capacity * 2 : 64;
		struct site **grown = reallocarray(account->sites, capacity, sizeof(struct site *));

		if (!grown)
			return NULL;
		account->sites = grown;
		account->site_capacity = capacity;
	}
	site = calloc(1, sizeof(*site));
	if (!site)
		return NULL;
	site->number = number;
	account->sites[account->site_count++] = site;
	table->by_number[number] = site;
	return site;
}

/* A mapping came or went: tells its site. Sites of ended accounts don't change. */
struct mapping_context {
	struct account_table *table;
	struct account *account;
};

static void on_mapping_change(void *context, uint32_t number, uint32_t generation, int64_t bytes,
			      int objects)
{
	struct mapping_context *owner = context;
	struct site *site = account_site(owner->table, owner->account, number);

	if (!site || site_change_mappings(site, generation, bytes, objects))
		owner->account->mappings_refused++;
}

/* ---- Beginning and end ---- */

static int table_add(struct account_table *table, struct account *account)
{
	if (table->count == table->capacity) {
		size_t capacity = table->capacity ? table->capacity * 2 : 16;
		struct account **grown =
			reallocarray(table->accounts, capacity, sizeof(struct account *));

		if (!grown)
			return -1;
		table->accounts = grown;
		table->capacity = capacity;
	}
	table->accounts[table->count++] = account;
	return 0;
}

/* The account and what its mapping table calls back with, which must live as long. */
struct account_storage {
	struct account account;
	struct mapping_context context;
};

struct account *account_open(struct account_table *table, struct target *target,
			     const struct record_target_counters *counters)
{
	struct account_storage *storage = calloc(1, sizeof(*storage));
	uint32_t overflow_site;
	struct account *account;

	if (!storage)
		return NULL;
	account = &storage->account;
	storage->context = (struct mapping_context){.table = table, .account = account};
	account->references = 1;
	account->number = target->account;
	account->identity = target->identity;
	account->sampling_interval_bytes = target->sampling_interval_bytes;
	account->asked_interval_bytes = target->asked_interval_bytes;
	account->began_seconds = target->watched_since_seconds;
	account->target = target;
	account->mappings = mapping_table_new(MAPPINGS_MAX, on_mapping_change, &storage->context);
	if (!account->mappings || table_add(table, account)) {
		account_free(account);
		return NULL;
	}
	overflow_site = probe_object_counters(table->object)[target->slot].overflow_site;
	if (!counters)
		counters = &probe_object_counters(table->object)[target->slot];
	account->counters_before = *counters;
	account->mappings_lost_seen = counters->lost_mapping_events;
	account->mappings_lost_noted = counters->lost_mapping_events;
	probe_object_hits(table->object, target->slot, &account->hits_before);
	if (overflow_site)
		account->overflow_site = account_site(table, account, overflow_site - 1);
	return account;
}

/*
 * Ended accounts beyond ended_max go, oldest first; and those whose sites would be more than the
 * living can ever have, or else a program with many stacks that executes itself fills our memory.
 */
static void table_trim(struct account_table *table)
{
	size_t sites_max = probe_object_site_count(table->object);
	size_t ended = 0, ended_sites = 0, kept = 0;

	for (size_t i = 0; i < table->count; i++) {
		if (!table->accounts[i]->end_reason)
			continue;
		ended++;
		ended_sites += table->accounts[i]->site_count;
	}
	for (size_t i = 0; i < table->count; i++) {
		struct account *account = table->accounts[i];

		if (account->end_reason && (ended > table->ended_max || ended_sites > sites_max)) {
			ended--;
			ended_sites -= account->site_count;
			account_release(account);
		} else {
			table->accounts[kept++] = account;
		}
	}
	table->count = kept;
}

void account_end(struct account_table *table, struct account *account, const char *reason,
		 const struct record_target_counters *counters)
{
	if (account->end_reason)
		return;
	account_update_from(table, account, counters);
	account->ended_seconds = clock_monotonic_seconds();
	account->end_reason = reason;
	account->target = NULL;
	account_purge_add(table, account);
	mapping_table_free(account->mappings);
	account->mappings = NULL;
	table_trim(table);
}

void account_discard(struct account_table *table, struct account *account)
{
	size_t kept = 0;

	if (!account)
		return;
	account_purge_add(table, account);
	for (size_t i = 0; i < table->count; i++)
		if (table->accounts[i] != account)
			table->accounts[kept++] = table->accounts[i];
	table->count = kept;
	account_release(account);
}

/* ---- Finding ---- */

static bool is_hidden(const struct account *account)
{
	return account->target && account->target->is_new;
}

struct account *account_by_pid(const struct account_table *table, pid_t pid)
{
	struct account *ended = NULL;

	for (size_t i = table->count; i-- > 0;) {
		struct account *account = table->accounts[i];

		if (account->identity.pid != pid || is_hidden(account))
			continue;
		if (!account->end_reason)
			return account;
		if (!ended)
			ended = account;
	}
	return ended;
}

struct account *account_by_number(const struct account_table *table, uint32_t number)
{
	for (size_t i = table->count; i-- > 0;)
		if (table->accounts[i]->number == number)
			return table->accounts[i];
	return NULL;
}

struct account *account_next(const struct account_table *table, size_t *cursor)
{
	while (*cursor < table->count) {
		struct account *account = table->accounts[table->count - ++*cursor];

		if (!is_hidden(account))
			return account;
	}
	return NULL;
}
