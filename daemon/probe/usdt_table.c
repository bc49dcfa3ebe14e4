/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/usdt_table.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct usdt_table {
	pthread_mutex_t lock;
	int map_fd;
	uint32_t end; /* no number from here on was ever in use */
	struct {
		uint32_t holders; /* 0: free */
		struct record_usdt_arguments arguments;
	} entries[RECORD_USDT_DESCRIPTIONS_MAX];
};

struct usdt_table *usdt_table_new(int map_fd)
{
	struct usdt_table *table = calloc(1, sizeof(*table));

	if (!table)
		return NULL;
	pthread_mutex_init(&table->lock, NULL);
	table->map_fd = map_fd;
	return table;
}

void usdt_table_free(struct usdt_table *table)
{
	if (table)
		pthread_mutex_destroy(&table->lock);
	free(table);
}

static int hold(struct usdt_table *table, const struct record_usdt_arguments *arguments,
		uint32_t *number)
{
	uint32_t unused = table->end;

	for (uint32_t i = 0; i < table->end; i++) {
		if (!table->entries[i].holders) {
			unused = i < unused ? i : unused;
		} else if (!memcmp(&table->entries[i].arguments, arguments, sizeof(*arguments))) {
			table->entries[i].holders++;
			*number = i;
			return 0;
		}
	}
	if (unused == RECORD_USDT_DESCRIPTIONS_MAX)
		return -ENOSPC;
	if (bpf_map_update_elem(table->map_fd, &unused, arguments, BPF_ANY))
		return -errno;
	table->entries[unused].arguments = *arguments;
	table->entries[unused].holders = 1;
	if (unused == table->end)
		table->end++;
	*number = unused;
	return 0;
}

int usdt_table_hold(struct usdt_table *table, const struct record_usdt_arguments *arguments,
		    uint32_t *number)
{
	int error;

	pthread_mutex_lock(&table->lock);
	error = hold(table, arguments, number);
	pthread_mutex_unlock(&table->lock);
	return error;
}

void usdt_table_release(struct usdt_table *table, uint32_t number)
{
	pthread_mutex_lock(&table->lock);
	if (number < table->end && table->entries[number].holders)
		table->entries[number].holders--;
	pthread_mutex_unlock(&table->lock);
}
