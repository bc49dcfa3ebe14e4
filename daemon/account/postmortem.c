/* SPDX-License-Identifier: Apache-2.0 */
#include "account/postmortem.h"

#include "clock.h"
#include "procfs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct postmortem_list {
	struct postmortem *items; /* a ring */
	size_t max, count, next, sites_max;
	uint64_t last_id;
};

/* 0 is the newest. */
static struct postmortem *item_at(const struct postmortem_list *list, size_t index)
{
	return &list->items[(list->next + list->max - 1 - index) % list->max];
}

struct postmortem_list *postmortem_list_new(size_t kept_max, size_t sites_max)
{
	struct postmortem_list *list = calloc(1, sizeof(*list));

	if (!list)
		return NULL;
	list->max = kept_max ? kept_max : 1;
	list->sites_max = sites_max;
	list->items = calloc(list->max, sizeof(*list->items));
	if (!list->items) {
		free(list);
		return NULL;
	}
	return list;
}

void postmortem_list_free(struct postmortem_list *list)
{
	if (!list)
		return;
	for (size_t i = 0; i < list->max; i++)
		account_release(list->items[i].account);
	free(list->items);
	free(list);
}

/* Joins the names, which come innermost first, to a path. */
static void join_cgroup(const struct record_event_oom *event, struct postmortem *postmortem)
{
	size_t depth = event->cgroup_depth;
	size_t used = 0;

	if (depth > RECORD_CGROUP_DEPTH)
		depth = RECORD_CGROUP_DEPTH;
	while (depth-- > 0) {
		const char *name = event->cgroup[depth];

		if (!*name || used >= sizeof(postmortem->cgroup))
			continue;
		used += (size_t)snprintf(postmortem->cgroup + used,
					 sizeof(postmortem->cgroup) - used, "/%.*s",
					 RECORD_CGROUP_LENGTH, name);
	}
	if (event->cgroup_depth && !used)
		strcpy(postmortem->cgroup, "/");
}

/* Kernels before 6.9 say the pid alone: the victim still has its /proc entry while it dies. */
static void ask_proc(struct postmortem *postmortem)
{
	const struct {
		const char *name;
		uint64_t *bytes;
	} fields[] = {
		{"RssAnon", &postmortem->rss_anon_bytes},
		{"RssFile", &postmortem->rss_file_bytes},
		{"RssShmem", &postmortem->rss_shmem_bytes},
		{"VmSwap", &postmortem->swap_bytes},
		{"VmSize", &postmortem->total_vm_bytes},
		{"VmPTE", &postmortem->page_tables_bytes},
	};
	struct process_identity identity;
	char path[64];

	if (process_identify(postmortem->pid, &identity))
		return;
	postmortem->uid = identity.uid;
	memcpy(postmortem->comm, identity.comm, sizeof(postmortem->comm));
	snprintf(path, sizeof(path), "/proc/%d/status", (int)postmortem->pid);
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		uint64_t kib;

		if (procfs_read_number(path, fields[i].name, &kib))
			continue;
		*fields[i].bytes = kib << 10;
		postmortem->has_rss = true;
	}
}

/* The newest keeps its account in any case: it is what one asks about. */
static void drop_old_accounts(struct postmortem_list *list)
{
	size_t sites = 0;

	for (size_t i = 0; i < list->count; i++) {
		struct postmortem *postmortem = item_at(list, i);

		if (!postmortem->account)
			continue;
		sites += postmortem->account->site_count;
		if (i == 0 || sites <= list->sites_max)
			continue;
		account_release(postmortem->account);
		postmortem->account = NULL;
	}
}

const struct postmortem *postmortem_record(struct postmortem_list *list,
					   struct account_table *accounts,
					   const struct record_event_oom *event)
{
	struct postmortem *postmortem = &list->items[list->next];
	struct account *account = account_by_number(accounts, event->event.account);

	account_release(postmortem->account);
	*postmortem = (struct postmortem){
		.id = ++list->last_id,
		.time_seconds = (double)event->time_ns * 1e-9 + clock_boot_offset_seconds(),
		.pid = (pid_t)event->event.pid,
		.uid = event->uid,
		.has_rss = event->has_rss,
		.rss_anon_bytes = event->rss_anon_bytes,
		.rss_file_bytes = event->rss_file_bytes,
		.rss_shmem_bytes = event->rss_shmem_bytes,
		.swap_bytes = event->swap_bytes,
		.total_vm_bytes = event->total_vm_bytes,
		.page_tables_bytes = event->page_tables_bytes,
		.oom_score_adj = event->oom_score_adj,
	};
	memcpy(postmortem->comm, event->comm, sizeof(postmortem->comm));
	postmortem->comm[sizeof(postmortem->comm) - 1] = '\0';
	join_cgroup(event, postmortem);
	if (!postmortem->has_rss)
		ask_proc(postmortem);
	if (event->event.account && account) {
		account_update(accounts, account);
		postmortem->account = account_hold(account);
		postmortem->was_target = true;
	}
	list->next = (list->next + 1) % list->max;
	if (list->count < list->max)
		list->count++;
	drop_old_accounts(list);
	return postmortem;
}

size_t postmortem_count(const struct postmortem_list *list)
{
	return list->count;
}

const struct postmortem *postmortem_at(const struct postmortem_list *list, size_t index)
{
	return item_at(list, index);
}
