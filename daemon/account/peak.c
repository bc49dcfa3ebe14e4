/* SPDX-License-Identifier: Apache-2.0 */
/* The most that was outstanding: three numbers a site, whatever its history has thinned out. */
#include "account/table.h"

/* Straight from the kernel's table: a look each second must not cost what an update does. */
static int64_t outstanding_bytes(const struct site *site, const struct record_site *blocks)
{
	uint64_t bytes = blocks->allocated_bytes - blocks->freed_bytes;

	if (site->mappings)
		bytes += site->mappings->allocated_bytes - site->mappings->freed_bytes;
	return (int64_t)bytes;
}

static void note_peak(struct account *account, int64_t total_bytes, double now_seconds)
{
	account->peak_bytes = total_bytes;
	account->peak_seconds = now_seconds - account->began_seconds;
	for (size_t i = 0; i < account->site_count; i++)
		account->sites[i]->at_peak_bytes = account->sites[i]->looked_bytes;
}

void account_look(struct account_table *table, struct account *account, double now_seconds)
{
	const struct record_site *blocks = probe_object_sites(table->object);
	uint64_t total_bytes = 0;

	if (account->end_reason)
		return;
	for (size_t i = 0; i < account->site_count; i++) {
		struct site *site = account->sites[i];

		site->looked_bytes = outstanding_bytes(site, &blocks[site->number]);
		if (site->looked_bytes > site->peak_bytes)
			site->peak_bytes = site->looked_bytes;
		total_bytes += (uint64_t)site->looked_bytes;
	}
	if ((int64_t)total_bytes > account->peak_bytes)
		note_peak(account, (int64_t)total_bytes, now_seconds);
}
