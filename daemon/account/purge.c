/* SPDX-License-Identifier: Apache-2.0 */
/* Clearing the kernel's tables of what ended accounts left there. */
#include "account/table.h"

#include <stdlib.h>

struct account_purge {
	uint32_t *accounts;
	size_t account_count;
};

void account_purge_add(struct account_table *table, struct account *account)
{
	uint32_t *accounts = reallocarray(table->purge_accounts, table->purge_account_count + 1,
					  sizeof(*accounts));

	for (size_t i = 0; i < account->site_count; i++) {
		table->by_number[account->sites[i]->number] = NULL;
		account->sites[i]->number = SITE_NUMBER_NONE;
	}
	/* The kernel may have gone on to accounts whose exec is still in the ring buffer. */
	table->has_orphans = true;
	if (!accounts)
		return; /* an orphan, then */
	table->purge_accounts = accounts;
	accounts[table->purge_account_count++] = account->number;
}

void account_expect_orphans(struct account_table *table)
{
	table->has_orphans = true;
}

static bool is_current(const struct account_table *table, uint32_t number)
{
	const struct record_target_counters *counters = probe_object_counters(table->object);
	uint32_t slots = probe_object_limits(table->object)->targets_max;

	for (uint32_t slot = 0; slot < slots; slot++)
		if (__atomic_load_n(&counters[slot].account, __ATOMIC_ACQUIRE) == number)
			return true;
	return false;
}

static bool is_purged(const struct account_table *table, uint32_t number)
{
	for (size_t i = 0; i < table->purge_account_count; i++)
		if (table->purge_accounts[i] == number)
			return true;
	return false;
}

/* Whatever has blocks has a site; numbers are never used again, so what is over stays over. */
static void find_orphans(struct account_table *table)
{
	const struct record_site *sites = probe_object_sites(table->object);
	uint32_t end = probe_object_sites_end(table->object);

	for (uint32_t i = 0; i < end; i++) {
		uint32_t number = __atomic_load_n(&sites[i].account, __ATOMIC_ACQUIRE);
		const struct account *account = number ? account_by_number(table, number) : NULL;
		uint32_t *grown;

		if (!number || (account && !account->end_reason) || is_purged(table, number) ||
		    is_current(table, number))
			continue;
		grown = reallocarray(table->purge_accounts, table->purge_account_count + 1,
				     sizeof(*grown));
		if (!grown) {
			table->has_orphans = true;
			return;
		}
		table->purge_accounts = grown;
		grown[table->purge_account_count++] = number;
	}
}

struct account_purge *account_purge_take(struct account_table *table)
{
	struct account_purge *purge;

	if (table->has_orphans) {
		table->has_orphans = false;
		find_orphans(table);
	}
	if (!table->purge_account_count)
		return NULL;
	purge = calloc(1, sizeof(*purge));
	if (!purge)
		return NULL;
	purge->accounts = table->purge_accounts;
	purge->account_count = table->purge_account_count;
	table->purge_accounts = NULL;
	table->purge_account_count = 0;
	return purge;
}

int account_purge_run(struct probe_object *object, struct account_purge *purge)
{
	int error = probe_object_purge(object, purge->accounts, purge->account_count);

	free(purge->accounts);
	free(purge);
	return error;
}
