/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers, as data: what the views return and serve/ encodes. Every answer owns its memory (one
 * _free for each); strings inside are owned by the answer unless marked static.
 */
#ifndef MEMWATCH_VIEW_ANSWER_H
#define MEMWATCH_VIEW_ANSWER_H

#include "account/verdict.h"
#include "record.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct stack; /* account/stack.h */

/*
 * Strings are borrowed: names from the symbol cache, which outlives every answer, and what belongs
 * to the module from the site's stack, which holds it. Ten thousand sites share them so.
 */
struct answer_frame {
	const char *kind;           /* "native", "python" */
	const char *function;       /* NULL: unknown */
	const char *qualified_name; /* of a Python function; NULL: there is none */
	const char *module;         /* NULL: in no file (JIT code…), or Python */
	const char *build_id;       /* NULL or "": none */
	uint64_t offset;            /* file offset in module; the address itself without a module */
	const char *file;           /* NULL: unknown */
	uint32_t line;              /* 0: unknown */
	bool is_inlined;            /* part of the next frame's code, at the same offset */
	bool is_pending;            /* a later answer may have more names of it */
};

/* By which resident memory changed. */
struct answer_rss {
	int64_t growth_bytes; /* what it has grown less what it has shrunk */
	uint64_t grown_bytes, shrunk_bytes;
	double growth_bytes_stderr; /* at worst; of a site alone */
	struct record_rss by_kind;  /* index: enum record_rss_kind */
};

struct answer_site {
	enum verdict verdict;
	bool is_mapping;      /* mmap rather than a block of an allocator */
	bool is_python_arena; /* such as hold a Python interpreter's small objects */
	int64_t outstanding_bytes;
	double outstanding_bytes_stderr;
	double outstanding_objects;
	uint64_t allocated_bytes;
	double allocated_objects;
	uint64_t freed_bytes;
	double freed_objects;
	double growth_bytes_per_second;
	double oldest_age_seconds;
	struct answer_rss rss;
	bool is_rss;                 /* of resident memory, neither block nor mapping */
	char *reason;                /* NULL in answers without verdict */
	const char *python_end;      /* static, as stack_end; NULL: it passes no Python */
	const char *stack_end;       /* static: "root", "truncated", "lost"… (account/stack.h) */
	struct answer_frame *frames; /* innermost first */
	size_t frame_count;
	struct stack *stack; /* owned; NULL unknown */
	int64_t peak_bytes;  /* the most that was outstanding, see account_look() */
	/* Outstanding at each of the answer's moments, for sums of sites; owned. NULL: not asked.
	 */
	int64_t *moments_bytes;
};

/* Named losses of one target; all are counts since it was watched. */
struct answer_loss {
	const char *name; /* static, as in metrics: "map_full" */
	uint64_t count;
};

/* What a target's probes may cost, and what was done about it. */
struct answer_cost_control {
	double budget_share; /* per thread that runs; INFINITY: no limit; < 0: costs not known */
	double recent_share; /* what they cost, over the last second; < 0: not known yet */
	bool is_over;        /* at the last look */
	uint64_t asked_interval_bytes; /* the sampling interval was raised from it ... */
	uint64_t interval_raises;      /* ... so often */
};

/* The Python of a process. */
struct answer_python {
	char version[32];  /* "": none is known */
	char refusal[200]; /* why there seems to be one whose frames aren't told; "" */
	/* Stacks that pass it, since it was watched; those with fewer frames than calls are in
	 * losses.
	 */
	uint64_t stacks_taken, stacks_to_root;
};

/* leaks and stacks; stacks has no verdicts. */
struct answer_sites {
	pid_t pid;
	char comm[16];
	double start_time_seconds; /* of the process, Unix time */
	double observed_seconds;
	const char *provider;             /* static: "uprobes", "otel_memory" */
	uint64_t sampling_interval_bytes; /* 0: the process itself draws its samples */
	bool is_complete;
	char *incomplete_reason;               /* NULL when complete */
	uint64_t lost_events;                  /* sum of all losses */
	uint64_t stacks_taken, stacks_to_root; /* since it was watched; the rest is in losses */
	struct answer_python python;
	struct answer_loss *losses;
	size_t loss_count;
	bool is_ended; /* the process has exited or was unwatched; numbers are the last ones */
	const char *end_reason; /* static, NULL while watched: "exited", "exec", "unwatched" */
	char *end_detail;       /* numbers to it; NULL or "": none */
	struct answer_cost_control control;
	const char *rss_refusal;     /* static: why there is no RSS profile; NULL: there is */
	struct answer_rss rss;       /* of all sites, listed or not */
	uint64_t rss_interval_bytes; /* between its samples, on average; 0: there was none yet */
	uint64_t rss_samples, rss_samples_to_root, rss_samples_without_stack, rss_lost_samples;
	/* By others than the process's own threads: reclaim, khugepaged… */
	uint64_t rss_grown_elsewhere_bytes, rss_shrunk_elsewhere_bytes;
	bool has_verdicts;
	int64_t outstanding_bytes; /* of all sites, listed or not */
	double outstanding_bytes_stderr;
	double outstanding_objects;
	int64_t peak_bytes;  /* of all sites together, at one look */
	double peak_seconds; /* when that was, since it is watched */
	struct answer_site *sites;
	size_t site_count;
	size_t moment_count;   /* of each site's moments_bytes */
	size_t sites_total;    /* before --top and the verdict filter */
	size_t pending_frames; /* of the sites here */
	double overhead_share; /* estimated probe time per second of wall time; < 0: not calibrated
				*/
};

enum answer_sort { ANSWER_SORT_OUTSTANDING, ANSWER_SORT_ALLOCATED, ANSWER_SORT_RSS };

struct line_groups; /* view/line_groups.h */

/* lines: sites summed up. Of the groups, the first so many are listed. */
struct answer_lines {
	struct answer_sites *sites; /* what the groups are made of; they borrow its names */
	struct line_groups *groups;
	size_t listed;
};

struct answer_target {
	pid_t pid;
	pid_t namespace_pid; /* in its own pid namespace; 0: it is the same, or unknown */
	char comm[16];
	uid_t uid;
	double start_time_seconds;
	double watched_seconds;
	const char *provider;             /* static: "uprobes", "otel_memory" */
	char *provider_reason;            /* why not otel_memory, which it brings; NULL: none */
	uint64_t sampling_interval_bytes; /* 0: the process itself draws its samples */
	bool is_ended;
	const char *end_reason; /* static or NULL */
	const char *allocators; /* owned: "glibc", comma separated; "" none found */
	const char *backend;    /* static: "session" */
	uint32_t leases; /* observers that hold it; 0 with is_persistent: watched by command */
	bool is_persistent;
	int64_t outstanding_bytes;
	double outstanding_bytes_stderr;
	double outstanding_objects;
	uint64_t allocated_bytes; /* since it is watched */
	uint64_t sites;
	uint64_t blocks;
	uint64_t blocks_max; /* its share of the block map now; 0 once ended */
	uint64_t mappings;
	uint64_t mapping_bytes;
	uint64_t allocator_mapping_bytes; /* mapped by allocators for themselves (not in
					     outstanding) */
	uint64_t allocation_hits, free_hits, return_hits;
	uint64_t failed_allocations, unknown_frees, missed_frees, abandoned_calls, nested_calls;
	uint64_t probes,
		probes_single_stepped; /* attached; those where no emulated address was found */
	double overhead_share;
	struct answer_cost_control control;
	bool is_retried;        /* see struct answer_waiting */
	const char *end_detail; /* owned, numbers to end_reason; "" none */
	struct answer_loss *losses;
	size_t loss_count;
};

/* A process whose watch ended over its budget, and that will be watched again. */
struct answer_waiting {
	pid_t pid;
	char comm[16];
	uid_t uid;
	double due_seconds; /* from now */
	uint64_t retries;   /* the one that it waits for included */
	double cost_share;  /* what its probes cost the last time */
	double budget_share;
};

struct answer_targets {
	struct answer_target *targets;
	size_t target_count;
	struct answer_waiting *waiting;
	size_t waiting_count;
};

struct answer_process {
	pid_t pid;
	pid_t namespace_pid; /* in its own pid namespace; 0: it is the same, or unknown */
	pid_t parent_pid;
	uid_t uid;
	char comm[16];
	uint32_t threads;
	double start_time_seconds;
	uint64_t rss_bytes, rss_anon_bytes, rss_file_bytes, rss_shmem_bytes, swap_bytes;
	uint64_t peak_rss_bytes, total_vm_bytes;
	uint64_t minor_faults, major_faults;
	bool is_target;
};

struct answer_processes {
	struct answer_process *processes;
	size_t process_count;
	size_t processes_total;
	uint64_t rss_bytes; /* sum over all visible processes; shared pages count in each */
	uint64_t minor_faults, major_faults;
};

struct answer_oom {
	uint64_t id; /* 1, 2, 3 … in order of time */
	double time_seconds;
	pid_t pid;
	uid_t uid;
	char comm[16];
	char *cgroup; /* path, "" unknown */
	bool has_rss;
	uint64_t rss_anon_bytes, rss_file_bytes, rss_shmem_bytes, swap_bytes, total_vm_bytes,
		page_tables_bytes;
	int32_t oom_score_adj;
	bool was_target;
	struct answer_sites *sites; /* NULL unless it was a target: what it held */
};

struct answer_ooms {
	struct answer_oom *ooms; /* newest first */
	size_t oom_count;
	uint64_t oom_kills_total;
};

struct answer_check {      /* one line of doctor */
	const char *name;  /* static: "btf", "bpf", "uprobe session" … */
	const char *state; /* static: "ok", "missing", "degraded" */
	char *detail;      /* what was seen */
	char *remedy;      /* NULL when ok */
};

struct answer_cost {      /* calibrated at start in a child of our own */
	const char *name; /* static: "allocation_exact", "allocation_unsampled", "free" */
	double ns;        /* < 0: not measured */
};

struct answer_doctor {
	struct answer_check *checks;
	size_t check_count;
	struct answer_cost *costs;
	size_t cost_count;
	bool is_healthy; /* no check is "missing" */
};

struct answer_map {       /* fill level of one bounded table */
	const char *name; /* static: "blocks", "sites" */
	uint64_t used;
	uint64_t max;
};

#define ANSWER_BACKENDS_MAX 3

struct answer_backend {
	const char *name; /* static */
	bool works;
	const char *reason; /* of the state, which outlives the answer; NULL when it works */
};

/* The names of frames, which a thread looks up. */
struct answer_naming {
	uint64_t waiting_frames;
	uint64_t named_frames_total;
	uint64_t dropped_frames_total; /* too many were waiting: looked up once asked for */
	uint64_t pending_frames_total; /* answered before all of their names were known */
	double cpu_seconds_total;
};

/* The code objects of Python functions in stacks, which a thread reads. */
struct answer_python_codes {
	uint64_t bytes, bytes_max;
	uint64_t read_total;
	uint64_t reused_total;     /* read where another one had been */
	uint64_t unreadable_total; /* frames without a name: gone when it was read, or no room */
	uint64_t dropped_total;    /* stacks without names: too many were waiting */
};

/* The unwind tables in the kernel. */
struct answer_unwind {
	uint64_t modules, bytes, bytes_max;
	uint64_t builds_total;
	double build_seconds_total;
	uint64_t refused_modules_total; /* without tables though they have code */
};

/* Debug files from debuginfod servers; all 0 where none are configured. */
struct answer_debuginfod {
	bool is_configured;
	uint64_t queued;
	uint64_t found_total, not_found_total, failed_total, refused_total; /* files, by result */
	uint64_t dropped_total; /* wanted while the queue was full */
	uint64_t received_bytes_total;
	uint64_t cache_bytes, cache_bytes_max;
};

struct answer_status {
	const char *version; /* static */
	double start_time_seconds;
	double uptime_seconds;
	const char *backend; /* static; NULL: none works here */
	struct answer_backend backends_tried[ANSWER_BACKENDS_MAX];
	size_t backend_tried_count;
	uint64_t targets, targets_max;
	uint64_t targets_reporting; /* of them: by contract probes of their own */
	double cpu_seconds;         /* of memwatchd itself */
	uint64_t rss_bytes;         /* of memwatchd itself */
	uint64_t bpf_memory_bytes;  /* of all its maps, as the kernel says */
	uint64_t symbol_cache_bytes;
	struct answer_naming naming;
	struct answer_python_codes python;
	struct answer_unwind unwind;
	struct answer_debuginfod debuginfod;
	struct answer_map *maps;
	size_t map_count;
	struct answer_loss *losses; /* of the host and of all targets, summed by name */
	size_t loss_count;
	uint64_t oom_kills_total;
	uint64_t ended_over_budget_total, intervals_raised_total;
	uint64_t events_total; /* taken from the ring buffer */
};

/* Everything for one scrape of /metrics. */
struct answer_metrics {
	struct answer_status status;
	struct answer_targets targets;     /* living ones only */
	struct answer_processes processes; /* the largest few by RSS, and every target */
	uint64_t host_minor_faults_total, host_major_faults_total; /* since boot, /proc/vmstat */
	uint64_t host_rss_bytes;                                   /* sum over all processes */
	uint64_t host_processes;
	uint64_t host_memory_total_bytes, host_memory_available_bytes;
};

void answer_sites_free(struct answer_sites *answer);
void answer_lines_free(struct answer_lines *answer);
void answer_targets_free(struct answer_targets *answer);
void answer_processes_free(struct answer_processes *answer);
void answer_ooms_free(struct answer_ooms *answer);
void answer_doctor_free(struct answer_doctor *answer);
void answer_status_free(struct answer_status *answer);
void answer_metrics_free(struct answer_metrics *answer);

#endif
