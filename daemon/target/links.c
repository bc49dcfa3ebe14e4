/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Links on their way out. Taking one out waits 50 ms for the kernel, so nobody does it under the
 * lock: links are handed over here, many wait together, and the slots whose number their cookies
 * carry are free again only when the last of them is out.
 */
#include "target/table.h"

#include <pthread.h>
#include <stdlib.h>

/* Many that wait together take no longer than one. */
#define DETACH_THREADS_MAX 64

struct target_links {
	const struct probe_backend *backend;
	struct probe_link **links;
	size_t link_count, next;
	uint32_t *slots; /* drained with these links */
	size_t slot_count;
};

static struct target_links *orphans_of(struct target_table *table)
{
	if (!table->orphans)
		table->orphans = calloc(1, sizeof(*table->orphans));
	if (table->orphans)
		table->orphans->backend = table->backend;
	return table->orphans;
}

void target_link_orphan(struct target_table *table, struct probe_link *link)
{
	struct target_links *orphans = orphans_of(table);
	struct probe_link **grown;

	if (!link)
		return;
	grown = orphans ? reallocarray(orphans->links, orphans->link_count + 1,
				       sizeof(struct probe_link *))
			: NULL;
	if (!grown) {
		table->backend->detach(link);
		return;
	}
	orphans->links = grown;
	grown[orphans->link_count++] = link;
}

void target_slot_drain(struct target_table *table, uint32_t slot)
{
	struct target_links *orphans = orphans_of(table);
	uint32_t *grown =
		orphans ? reallocarray(orphans->slots, orphans->slot_count + 1, sizeof(*grown))
			: NULL;

	/* For want of memory the slot is lost rather than given to another while probes name it. */
	table->is_draining[slot] = true;
	if (!grown)
		return;
	orphans->slots = grown;
	grown[orphans->slot_count++] = slot;
}

struct target_links *target_orphans_take(struct target_table *table)
{
	struct target_links *orphans = table->orphans;

	table->orphans = NULL;
	return orphans;
}

static void *detach_links(void *context)
{
	struct target_links *orphans = context;
	size_t index;

	while ((index = __atomic_fetch_add(&orphans->next, 1, __ATOMIC_RELAXED)) <
	       orphans->link_count)
		orphans->backend->detach(orphans->links[index]);
	return NULL;
}

void target_orphans_detach(struct target_links *orphans)
{
	pthread_t threads[DETACH_THREADS_MAX];
	size_t thread_count = 0;

	if (!orphans)
		return;
	while (thread_count < DETACH_THREADS_MAX && thread_count + 1 < orphans->link_count &&
	       !pthread_create(&threads[thread_count], NULL, detach_links, orphans))
		thread_count++;
	detach_links(orphans);
	while (thread_count > 0)
		pthread_join(threads[--thread_count], NULL);
}

void target_orphans_free(struct target_table *table, struct target_links *orphans)
{
	if (!orphans)
		return;
	for (size_t i = 0; i < orphans->slot_count; i++)
		table->is_draining[orphans->slots[i]] = false;
	free(orphans->links);
	free(orphans->slots);
	free(orphans);
}
