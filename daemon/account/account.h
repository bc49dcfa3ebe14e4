/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Accounts: what one process held while one program ran in it, from watch to exit, exec or unwatch,
 * and for a while after. Events in, numbers over time out.
 *
 * Owned by the daemon's state, used under its lock.
 */
#ifndef MEMWATCH_ACCOUNT_ACCOUNT_H
#define MEMWATCH_ACCOUNT_ACCOUNT_H

#include "account/mapping.h"
#include "account/site.h"
#include "target/target.h"

/* Among the reasons for an end; the account's end_detail has the numbers. */
#define ACCOUNT_ENDED_OVER_BUDGET "ended_over_budget"

struct account {
	uint32_t number;
	uint32_t references; /* the table's own, and one of each postmortem */
	struct process_identity identity;
	uint64_t sampling_interval_bytes; /* in force; 0: the process itself draws its samples */
	uint64_t asked_interval_bytes;    /* from which it was raised */
	uint32_t interval_raises;
	double budget_share; /* INFINITY: no limit */
	struct budget budget;
	double began_seconds;   /* monotonic */
	double ended_seconds;   /* monotonic; 0 while it goes on */
	const char *end_reason; /* static, NULL while it goes on */
	char end_detail[200];   /* more words on it; "" none */
	struct target *target;  /* NULL once ended */

	struct site **sites;
	size_t site_count, site_capacity;
	struct site *overflow_site; /* one of them, or NULL */

	struct mapping_table *mappings;
	uint64_t allocator_mapping_bytes; /* mapped by allocators for themselves, since watched */
	uint64_t mappings_refused;        /* no room in the mapping table */
	uint64_t mappings_lost_seen;      /* lost events that were made good by looking at /proc */
	uint64_t mappings_lost_noted;     /* as of the last look */

	uint32_t generation; /* as of the last update, with the times when the last ones began */
	double generation_start_seconds[RECORD_GENERATIONS];

	double point_seconds[SITE_POINTS_MAX]; /* since began_seconds */
	size_t point_count;

	int64_t peak_bytes;  /* the most that was outstanding at a look */
	double peak_seconds; /* when that was, since began_seconds */

	/* Of this account alone; as of the last update. */
	struct record_target_counters counters;
	struct record_target_hits hits;
	struct record_target_counters
		counters_before; /* what the slot had counted at the beginning */
	struct record_target_hits hits_before;
	/* Of the target, for when it is gone. */
	char allocators[64];
	char attach_failure[200];
	bool is_contract; /* the process's own samples, see target.h */
	char contract_refusal[200];
	char python_version[32];  /* "": there is no interpreter */
	char python_refusal[200]; /* why its frames aren't told; "": they are */
	const char *rss_refusal;  /* static: why there is no RSS profile; NULL: there is */
	uint64_t probe_count, single_stepped_count;
};

struct account_table;
struct code_reading;

/*
 * ended_max: accounts kept after their end, oldest go first. The namer, which is borrowed, hears of
 * each new stack.
 */
struct account_table *account_table_new(struct probe_object *object, struct namer *namer,
					size_t ended_max);
void account_table_free(struct account_table *table);
/* What reads the code of Python frames. Borrowed. */
struct code_reading *account_table_code_reading(const struct account_table *table);

/*
 * Begins the account of a target's current program. counters: what its slot had counted when the
 * program began, NULL: as of now. NULL when out of memory.
 */
struct account *account_open(struct account_table *table, struct target *target,
			     const struct record_target_counters *counters);
/*
 * Ends it: reads the final numbers. counters: the slot's at the end, NULL: as of now. To be called
 * while the target still has its slot. The kernel's entries go with the next account_purge_run().
 */
void account_end(struct account_table *table, struct account *account, const char *reason,
		 const struct record_target_counters *counters);

/* Of a watch that came to nothing: it was never there. NULL is fine. */
void account_discard(struct account_table *table, struct account *account);

/*
 * The account that goes on, or else the one of that pid that ended last. NULL: none. Neither this
 * nor account_next() shows an account whose target may yet turn out not to be one.
 */
struct account *account_by_pid(const struct account_table *table, pid_t pid);
/* NULL when it isn't known any more. */
struct account *account_by_number(const struct account_table *table, uint32_t number);
/* Ended ones too, newest first; NULL at the end. Start with *cursor 0. */
struct account *account_next(const struct account_table *table, size_t *cursor);
/* Keeps an account beyond its time in the table. */
struct account *account_hold(struct account *account);
void account_release(struct account *account);

/* Events. */
void account_handle_stack(struct account_table *table, struct target_table *targets,
			  const struct record_event_stack *event);
void account_handle_mapping(struct account_table *table, const struct record_event_mapping *event);

/* Reads the kernel's counters afresh; nothing once it has ended. */
void account_update(struct account_table *table, struct account *account);
/*
 * Compares what is outstanding now with the most that ever was, of each site and of all together.
 * What rises and falls again between two looks is not seen: there is one each second, and one
 * whenever somebody asks.
 */
void account_look(struct account_table *table, struct account *account, double now_seconds);
/* Once a second: a look, history, mappings made good after losses. */
void account_tick(struct account_table *table, struct account *account, double now_seconds);

/* All sites together, as of the last update. */
void account_read_numbers(const struct account *account, struct site_numbers *numbers);
/* Sites whose stack found no room in the ring buffer, and no later block has sent it. */
size_t account_stackless_sites(const struct account *account);
/* Whether each block that is freed was accounted, which makes its free dearer. */
bool account_frees_are_known(const struct account *account);
/* Where its blocks come from, static: "uprobes" on an allocator, "otel_memory". */
const char *account_provider(const struct account *account);
/* How long it was observed, up to now or its end. */
double account_observed_seconds(const struct account *account, double now_seconds);
/* What the site's numbers say. */
void account_judge(const struct account *account, const struct site *site, double now_seconds,
		   struct verdict_conclusion *conclusion);

/*
 * What ended accounts left in the kernel. take (under the lock) hands the work over; run (without
 * it: it may take a tenth of a second) does it and frees it. NULL: nothing to do.
 */
struct account_purge;
/*
 * Says that there may be accounts in the kernel that never were, or are no more, known here: a
 * watch failed, an exec was lost or overtaken by unwatch. The next purge looks for them.
 */
void account_expect_orphans(struct account_table *table);
struct account_purge *account_purge_take(struct account_table *table);
int account_purge_run(struct probe_object *object, struct account_purge *purge);

#endif
