/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OOM kills: who was chosen, what the kernel knew of it, and what it held if it was a target.
 *
 * Owned by the daemon's state, used under its lock.
 */
#ifndef MEMWATCH_ACCOUNT_POSTMORTEM_H
#define MEMWATCH_ACCOUNT_POSTMORTEM_H

#include "account/account.h"

struct postmortem {
	uint64_t id;         /* 1, 2, 3… */
	double time_seconds; /* Unix time */
	pid_t pid;
	uid_t uid;
	char comm[RECORD_COMM_LENGTH];
	char cgroup[RECORD_CGROUP_DEPTH * RECORD_CGROUP_LENGTH + 1]; /* path; "" unknown */
	bool has_rss;
	uint64_t rss_anon_bytes, rss_file_bytes, rss_shmem_bytes, swap_bytes, total_vm_bytes,
		page_tables_bytes;
	int32_t oom_score_adj;
	bool was_target;
	struct account
		*account; /* held; NULL unless it was a target, or when there were too many */
};

struct postmortem_list;

/*
 * The newest kept_max are kept; what the victims held as long as it is no more than sites_max sites
 * in all, the newest first.
 */
struct postmortem_list *postmortem_list_new(size_t kept_max, size_t sites_max);
void postmortem_list_free(struct postmortem_list *list);
/*
 * Takes down an OOM kill. The account's numbers are read now, before the victim is gone.
 * Returns it, borrowed, or NULL when out of memory.
 */
const struct postmortem *postmortem_record(struct postmortem_list *list,
					   struct account_table *accounts,
					   const struct record_event_oom *event);
size_t postmortem_count(const struct postmortem_list *list);
/* 0 is the newest. */
const struct postmortem *postmortem_at(const struct postmortem_list *list, size_t index);

#endif
