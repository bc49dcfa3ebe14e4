/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/prometheus_table.h"

#include "view/answer.h"

/* The type comes from the field itself, so that the table cannot disagree with it. */
#define FIELD_TYPE(record, field)                         \
	_Generic(((struct record *)NULL)->field, uint64_t \
		 : FIELD_UINT64, int64_t                  \
		 : FIELD_INT64, double                    \
		 : FIELD_DOUBLE)
#define POINT(record, field, value)                                              \
	{                                                                        \
		FIELD_TYPE(record, field), offsetof(struct record, field), value \
	}
#define ONE(record, field) .point_count = 1, .points = {POINT(record, field, NULL)}

#define DAEMON(field) .scope = SCOPE_DAEMON, ONE(answer_metrics, field)
#define MAP(field)    .scope = SCOPE_MAP, ONE(answer_map, field)
#define TARGET(field) .scope = SCOPE_TARGET, ONE(answer_target, field)

#define GAUGE(metric_name, text)   .name = (metric_name), .help = (text), .type = METRIC_GAUGE
#define COUNTER(metric_name, text) .name = (metric_name), .help = (text), .type = METRIC_COUNTER

const struct metric prometheus_table[] = {
	/* memwatchd itself */
	{GAUGE("memwatch_build_info", "The version of memwatchd; always 1."), .scope = SCOPE_BUILD},
	{GAUGE("memwatch_start_time_seconds", "Unix time at which memwatchd started."),
	 DAEMON(status.start_time_seconds)},
	{GAUGE("memwatch_resident_memory_bytes", "Resident memory of memwatchd."),
	 DAEMON(status.rss_bytes)},
	{GAUGE("memwatch_bpf_memory_bytes", "Kernel memory of memwatchd's BPF maps."),
	 DAEMON(status.bpf_memory_bytes)},
	{GAUGE("memwatch_symbol_cache_bytes", "Memory of the symbol cache."),
	 DAEMON(status.symbol_cache_bytes)},
	{GAUGE("memwatch_naming_waiting_frames", "Frames whose names are still to be looked up."),
	 DAEMON(status.naming.waiting_frames)},
	{COUNTER("memwatch_naming_frames_total", "Frames whose names were looked up."),
	 DAEMON(status.naming.named_frames_total)},
	{COUNTER("memwatch_naming_dropped_frames_total",
		 "Frames whose names were not looked up before they are asked for: too many were "
		 "waiting."),
	 DAEMON(status.naming.dropped_frames_total)},
	{COUNTER("memwatch_naming_pending_frames_total",
		 "Frames that were answered before all of their names were known."),
	 DAEMON(status.naming.pending_frames_total)},
	{COUNTER("memwatch_naming_cpu_seconds_total", "CPU time spent on looking up names."),
	 DAEMON(status.naming.cpu_seconds_total)},
	{GAUGE("memwatch_python_codes_bytes",
	       "Memory of the names and line tables of Python functions in stacks."),
	 DAEMON(status.python.bytes)},
	{COUNTER("memwatch_python_codes_read_total", "Code objects of Python functions read."),
	 DAEMON(status.python.read_total)},
	{COUNTER("memwatch_python_codes_reused_total",
		 "Code objects read where another one had been."),
	 DAEMON(status.python.reused_total)},
	{COUNTER("memwatch_python_codes_unreadable_total",
		 "Python frames that have no name: their code object was gone, or there was no "
		 "room."),
	 DAEMON(status.python.unreadable_total)},
	{COUNTER("memwatch_python_codes_dropped_total",
		 "Stacks whose Python frames have no names: too many were waiting."),
	 DAEMON(status.python.dropped_total)},
	{GAUGE("memwatch_unwind_modules", "Program files whose unwind tables are in the kernel."),
	 DAEMON(status.unwind.modules)},
	{GAUGE("memwatch_unwind_tables_bytes", "Kernel memory of the unwind tables."),
	 DAEMON(status.unwind.bytes)},
	{COUNTER("memwatch_unwind_builds_total", "Unwind tables made, or found not to be had."),
	 DAEMON(status.unwind.builds_total)},
	{COUNTER("memwatch_unwind_build_seconds_total", "Time that making unwind tables took."),
	 DAEMON(status.unwind.build_seconds_total)},
	{COUNTER("memwatch_unwind_refused_modules_total",
		 "Program files that have no unwind tables though they bring what these are made "
		 "of."),
	 DAEMON(status.unwind.refused_modules_total)},
	{COUNTER("memwatch_debuginfod_files_total",
		 "Debug files that were asked for of debuginfod servers, by result."),
	 .scope = SCOPE_DAEMON, .label = "result", .point_count = 4,
	 .points = {POINT(answer_metrics, status.debuginfod.found_total, "found"),
		    POINT(answer_metrics, status.debuginfod.not_found_total, "not_found"),
		    POINT(answer_metrics, status.debuginfod.failed_total, "failed"),
		    POINT(answer_metrics, status.debuginfod.refused_total, "refused")}},
	{COUNTER("memwatch_debuginfod_dropped_total",
		 "Debug files that were wanted while too many were waited for."),
	 DAEMON(status.debuginfod.dropped_total)},
	{COUNTER("memwatch_debuginfod_received_bytes_total",
		 "Bytes received of debuginfod servers."),
	 DAEMON(status.debuginfod.received_bytes_total)},
	{GAUGE("memwatch_debuginfod_queued_files", "Debug files that are waited for."),
	 DAEMON(status.debuginfod.queued)},
	{GAUGE("memwatch_debuginfod_cache_bytes", "Debug files kept in the state directory."),
	 DAEMON(status.debuginfod.cache_bytes)},
	{COUNTER("memwatch_cpu_seconds_total", "User and system time spent by memwatchd."),
	 DAEMON(status.cpu_seconds)},
	{COUNTER("memwatch_events_total", "Events taken from the ring buffer."),
	 DAEMON(status.events_total)},
	{COUNTER("memwatch_oom_kills_total", "OOM kills seen on this host."),
	 DAEMON(status.oom_kills_total)},
	{COUNTER("memwatch_watches_ended_over_budget_total",
		 "Watches that ended because their probes cost more than their budget."),
	 DAEMON(status.ended_over_budget_total)},
	{COUNTER("memwatch_sampling_intervals_raised_total",
		 "Times that the sampling interval of a target was raised, to lower its cost or to "
		 "keep its share of the block map from being full."),
	 DAEMON(status.intervals_raised_total)},
	{GAUGE("memwatch_map_used", "Entries in use of a bounded table."), MAP(used)},
	{GAUGE("memwatch_map_max", "Entries that a bounded table can hold."), MAP(max)},
	{COUNTER("memwatch_lost_total", "What could not be recorded, by reason, of all targets."),
	 .scope = SCOPE_LOSS},

	/* the host */
	{COUNTER("memwatch_host_page_faults_total", "Page faults of the host since it booted."),
	 .scope = SCOPE_DAEMON, .label = "type", .point_count = 2,
	 .points = {POINT(answer_metrics, host_minor_faults_total, "minor"),
		    POINT(answer_metrics, host_major_faults_total, "major")}},
	{GAUGE("memwatch_host_rss_bytes",
	       "Resident memory summed over all processes; shared pages count in each."),
	 DAEMON(host_rss_bytes)},
	{GAUGE("memwatch_host_processes", "Processes on the host."), DAEMON(host_processes)},
	{GAUGE("memwatch_host_memory_total_bytes", "Memory of the host."),
	 DAEMON(host_memory_total_bytes)},
	{GAUGE("memwatch_host_memory_available_bytes",
	       "Memory of the host that programs could still get without swapping."),
	 DAEMON(host_memory_available_bytes)},

	/* the largest processes, and every target */
	{GAUGE("memwatch_process_rss_bytes", "Resident memory of a process, by type of page."),
	 .scope = SCOPE_PROCESS, .label = "type", .point_count = 3,
	 .points = {POINT(answer_process, rss_anon_bytes, "anon"),
		    POINT(answer_process, rss_file_bytes, "file"),
		    POINT(answer_process, rss_shmem_bytes, "shmem")}},
	{COUNTER("memwatch_process_page_faults_total", "Page faults of a process."),
	 .scope = SCOPE_PROCESS, .label = "type", .point_count = 2,
	 .points = {POINT(answer_process, minor_faults, "minor"),
		    POINT(answer_process, major_faults, "major")}},

	/* targets */
	{GAUGE("memwatch_targets", "Processes being watched."), DAEMON(status.targets)},
	{GAUGE("memwatch_targets_max", "Processes that may be watched at once."),
	 DAEMON(status.targets_max)},
	{GAUGE("memwatch_target_outstanding_bytes",
	       "Bytes allocated since the target was watched and not yet freed."),
	 TARGET(outstanding_bytes)},
	{GAUGE("memwatch_target_outstanding_bytes_stderr",
	       "Standard error of the outstanding bytes; 0 when every block counts."),
	 TARGET(outstanding_bytes_stderr)},
	{GAUGE("memwatch_target_outstanding_objects",
	       "Blocks and mappings allocated since the target was watched and not yet freed."),
	 TARGET(outstanding_objects)},
	{GAUGE("memwatch_target_sites", "Distinct stacks that allocated."), TARGET(sites)},
	{GAUGE("memwatch_target_blocks", "Blocks being followed."), TARGET(blocks)},
	{GAUGE("memwatch_target_mapping_bytes", "Bytes of outstanding mappings."),
	 TARGET(mapping_bytes)},
	{GAUGE("memwatch_target_sampling_interval_bytes",
	       "Mean bytes between sampled points; 1 when every block counts, 0 when the process "
	       "draws its samples itself."),
	 TARGET(sampling_interval_bytes)},
	{GAUGE("memwatch_target_overhead_ratio",
	       "Estimated time in probes per second of wall time; absent when not calibrated."),
	 TARGET(overhead_share)},
	{GAUGE("memwatch_target_recent_overhead_ratio",
	       "Estimated time in probes per second and running thread, over the last second."),
	 TARGET(control.recent_share)},
	{GAUGE("memwatch_target_budget_ratio",
	       "Time in probes per second and running thread beyond which the watch ends; absent "
	       "when there is no limit."),
	 TARGET(control.budget_share)},
	{COUNTER("memwatch_target_sampling_interval_raises_total",
		 "Times that the sampling interval was raised."),
	 TARGET(control.interval_raises)},
	{COUNTER("memwatch_target_probe_hits_total",
		 "Times that a probe was hit, by kind of probe."),
	 .scope = SCOPE_TARGET, .label = "kind", .point_count = 3,
	 .points = {POINT(answer_target, allocation_hits, "allocation"),
		    POINT(answer_target, free_hits, "free"),
		    POINT(answer_target, return_hits, "return")}},
	{COUNTER("memwatch_target_unknown_frees_total",
		 "Frees of blocks from before the target was watched, or that were not sampled."),
	 TARGET(unknown_frees)},
	{COUNTER("memwatch_target_missed_frees_total",
		 "Blocks whose address was handed out again before their free was seen."),
	 TARGET(missed_frees)},
	{COUNTER("memwatch_target_failed_allocations_total",
		 "Allocations that returned no memory."),
	 TARGET(failed_allocations)},
	{COUNTER("memwatch_target_abandoned_calls_total",
		 "Allocator calls that never returned: left by longjmp, or by their thread's end."),
	 TARGET(abandoned_calls)},
	{COUNTER("memwatch_target_lost_total",
		 "What could not be recorded of a target, by reason."),
	 .scope = SCOPE_TARGET_LOSS},
};

const size_t prometheus_table_length = sizeof(prometheus_table) / sizeof(prometheus_table[0]);
