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
	if (!accounts)
		return; /* what it left stays in the kernel until memwatchd ends */
	table->purge_accounts = accounts;
	accounts[table->purge_account_count++] = account->number;
}

struct account_purge *account_purge_take(struct account_table *table)
{
	struct account_purge *purge;

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
