/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of the account table, shared by the files of this room alone. */
#ifndef MEMWATCH_ACCOUNT_TABLE_H
#define MEMWATCH_ACCOUNT_TABLE_H

#include "account/account.h"

struct account_table {
	struct probe_object *object;
	struct namer *namer;
	struct code_reading *code_reading;
	struct account **accounts; /* in the order of their beginning */
	size_t count, capacity;
	size_t ended_max;
	/* By number in the kernel's table: the site of a living account, or NULL. */
	struct site **by_number;
	/* What ended and is still in the kernel. */
	uint32_t *purge_accounts;
	size_t purge_account_count;
	bool has_orphans; /* the kernel may hold accounts that nobody here knows of */
};

/* Finds or makes the daemon's side of a kernel site. NULL: no such account, or out of memory. */
struct site *account_site(struct account_table *table, struct account *account, uint32_t number);
/* account_update(), with the slot's counters as they were at some moment (NULL: now). */
void account_update_from(struct account_table *table, struct account *account,
			 const struct record_target_counters *counters);
/* Hands an ended account's sites over to the next purge; their numbers become invalid. */
void account_purge_add(struct account_table *table, struct account *account);

#endif
