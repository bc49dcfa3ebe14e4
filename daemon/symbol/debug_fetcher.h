/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fetches debug files that aren't on this host from debuginfod servers, by their build-ids. A
 * thread of its own does it, one file after the other: whoever wants a file gets what the cache has
 * (debug_cache.h), and asks again once something has arrived.
 *
 * Threads: every function but start and stop may be called from any thread.
 */
#ifndef MEMWATCH_SYMBOL_DEBUG_FETCHER_H
#define MEMWATCH_SYMBOL_DEBUG_FETCHER_H

#include "symbol/elf_file.h"

struct debug_fetcher;

/* All is copied. */
struct debug_fetcher_options {
	const char *urls;      /* of servers, separated by spaces; asked one after the other */
	const char *state_dir; /* where the cache is, see debug_cache.h */
	uint64_t cache_bytes_max;
	unsigned int seconds_max; /* for one file from one server */
};

struct debug_fetcher_counters {
	uint64_t queued;
	uint64_t found_total;
	uint64_t not_found_total; /* no server has it */
	uint64_t failed_total;    /* a server could not be reached, or took too long */
	uint64_t refused_total;   /* what came was too large, or of another build-id */
	uint64_t dropped_total;   /* wanted while the queue was full */
	uint64_t received_bytes_total;
	uint64_t cache_bytes, cache_bytes_max;
};

/* 0 and *fetcher, or -errno. */
int debug_fetcher_start(const struct debug_fetcher_options *options,
			struct debug_fetcher **fetcher);
/* Ends a transfer that goes on. NULL is fine. */
void debug_fetcher_stop(struct debug_fetcher *fetcher);

/*
 * Opens the file of a build-id (lower-case hex) if the cache has it; the caller closes it. Else has
 * it fetched, unless that failed not long ago: an hour for a file that no server has, five minutes
 * for the rest. Returns 0, or -ENOENT with a descriptor of -1. Never waits for the network.
 */
int debug_fetcher_get(struct debug_fetcher *fetcher, const char *build_id,
		      struct symbol_file *file);
/* Grows with every file that has arrived. */
uint64_t debug_fetcher_arrivals(const struct debug_fetcher *fetcher);
void debug_fetcher_read_counters(struct debug_fetcher *fetcher,
				 struct debug_fetcher_counters *counters);

#endif
