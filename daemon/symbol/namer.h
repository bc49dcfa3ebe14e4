/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds names in a thread of its own, so that nobody else waits for files to be read: those of
 * stacks that have just been seen, while the files are there and before anybody asks; and those
 * that somebody asks for, which go first.
 *
 * From any thread, except namer_run().
 */
#ifndef MEMWATCH_SYMBOL_NAMER_H
#define MEMWATCH_SYMBOL_NAMER_H

#include "symbol/name_query.h"

struct namer;

struct namer_statistics {
	uint64_t waiting_frames; /* now; the rest is since the start */
	uint64_t named_frames;   /* looked up by the thread, whether they have names or not */
	uint64_t dropped_frames; /* not looked up before somebody asks: too many were waiting */
	uint64_t pending_frames; /* answered with less than what may be known, see namer_ask() */
	double cpu_seconds;      /* of the thread */
};

/*
 * wanted_max bounds the frames that wait without anybody asking, each of 100 bytes at most; as many
 * may be in work. NULL when out of memory.
 */
struct namer *namer_new(size_t wanted_max);
/* Nobody may be in any of these functions. NULL is fine. */
void namer_free(struct namer *namer);

/* The thread's work: returns after namer_stop(). */
void namer_run(struct namer *namer);
/*
 * Nobody waits any longer. The step that is under way goes on: module_cache_cancel() shortens it.
 */
void namer_stop(struct namer *namer);

/* Names there may be asked for: looks them up unless they are known. Holds the module meanwhile. */
void namer_want(struct namer *namer, struct module *module, uint64_t file_offset);

/*
 * Fills in the frames of a query that isn't planned yet; waits until a time on the monotonic clock
 * at most. What isn't complete by then is looked up later as by namer_want(), and has what is known
 * of it. Returns how many these are.
 */
size_t namer_ask(struct namer *namer, struct name_query *query, double until_seconds);

void namer_read_statistics(struct namer *namer, struct namer_statistics *statistics);

#endif
