/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The BPF object: loads the programs, holds the maps, and is the only place that knows how user
 * space reaches into them.
 *
 * Threads: used under the owner's lock; probe_object_read_processes() needs none.
 */
#ifndef MEMWATCH_PROBE_OBJECT_H
#define MEMWATCH_PROBE_OBJECT_H

#include "record.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct probe_object;

struct probe_limits {
	uint32_t blocks_max;
	uint32_t sites_max;
	uint32_t targets_max;
	uint64_t ring_buffer_bytes;
};

/* What went wrong: thing, cause and remedy, ready to print. */
struct probe_error {
	char message[400];
};

/* The programs that an attach back end puts into processes. */
enum probe_program {
	PROBE_PROGRAM_SESSION, /* entry and return of functions whose return matters */
	PROBE_PROGRAM_ENTRY,   /* entry of any function; beside a session of the others */
	PROBE_PROGRAM_RETURN,  /* return of functions whose return matters */
	PROBE_PROGRAM_SWEEP,   /* listens to nothing */
	PROBE_PROGRAMS_COUNT,
};

/* Their descriptors, borrowed; -1: the back end doesn't use it. */
struct probe_programs {
	int fd[PROBE_PROGRAMS_COUNT];
};

struct probe_backend;

/*
 * Loads and verifies everything, of the back ends' programs those of this one (NULL: none, nothing
 * can be watched then); attaches the tracepoints. 0 or -errno with the error filled.
 */
int probe_object_open(const struct probe_limits *limits, const struct probe_backend *backend,
		      struct probe_object **opened, struct probe_error *message);
void probe_object_close(struct probe_object *object);
const struct probe_limits *probe_object_limits(const struct probe_object *object);

/* Sites that the table has room for: sites_max of allocations, and what the RSS profile has beside.
 */
uint32_t probe_object_site_count(const struct probe_object *object);
/* Memory shared with the probes; arrays of that and of targets_max elements. */
struct record_site *probe_object_sites(const struct probe_object *object);
struct record_target_control *probe_object_controls(const struct probe_object *object);
struct record_target_counters *probe_object_counters(const struct probe_object *object);
const struct record_host_counters *probe_object_host_counters(const struct probe_object *object);

/* The descriptions of USDT arguments in use; owned by the object. */
struct usdt_table *probe_object_usdt(const struct probe_object *object);

struct rss_profile;
/* By it a target's resident memory is followed; owned by the object. */
struct rss_profile *probe_object_rss(const struct probe_object *object);

/* Descriptors of the unwinder's maps, borrowed (see unwind/store.h). */
struct probe_unwind_maps {
	int spaces_fd, chunks_fd, pages_fd, rules_fd;
};
void probe_object_unwind_maps(const struct probe_object *object, struct probe_unwind_maps *maps);

/* Tells the walker of a slot's Python interpreter; runtime 0: it has none. 0 or -errno. */
int probe_object_set_python(const struct probe_object *object, uint32_t slot,
			    const struct record_python *python);

/* An account number never given out before. */
uint32_t probe_object_new_account(struct probe_object *object);
/* A site for what no stack can be had for. Returns its number + 1, or 0 when the table is full. */
uint32_t probe_object_new_overflow_site(struct probe_object *object, uint32_t account);

/* Tells the lifecycle programs that a pid is the target of a slot. 0 or -errno. */
int probe_object_set_slot(struct probe_object *object, uint32_t pid, uint32_t slot);
void probe_object_clear_slot(struct probe_object *object, uint32_t pid);

/* Hits of a slot summed over CPUs. */
void probe_object_hits(const struct probe_object *object, uint32_t slot,
		       struct record_target_hits *hits);
void probe_object_reset_hits(struct probe_object *object, uint32_t slot);

/*
 * Deletes the blocks of accounts that have ended and hands their sites' numbers (zeroed) out again.
 * Takes about 0.1 us for each entry of the block map; needs no lock. 0 or -errno.
 */
int probe_object_purge(struct probe_object *object, const uint32_t *accounts, size_t account_count);
/*
 * One past the highest site number ever in use: where a walk over the sites ends. Numbers are given
 * out from the lowest, and those used before first: the rest of the table is never even touched.
 */
uint32_t probe_object_sites_end(const struct probe_object *object);
/* Site numbers in use, of whatever account. */
uint32_t probe_object_sites_used(const struct probe_object *object);

typedef void (*probe_event_fn)(void *context, const struct record_event *event, size_t bytes);
/* Events go to the function, from within probe_object_consume(). To be set once. */
void probe_object_set_handler(struct probe_object *object, probe_event_fn handler, void *context);
/* Becomes readable when there are events. */
int probe_object_event_fd(const struct probe_object *object);
/*
 * Handles what is there at the call without waiting, and not for ever what a busy target adds
 * meanwhile. Returns the number of events, or -errno.
 */
int probe_object_consume(struct probe_object *object);
/* Events handled so far. */
uint64_t probe_object_event_count(const struct probe_object *object);

typedef void (*probe_process_fn)(void *context, const struct record_process *process);
/* Runs over every thread of the host. 0 or -errno. */
int probe_object_read_processes(const struct probe_object *object, probe_process_fn on_process,
				void *context);

/* Kernel memory of all maps, as the kernel states it. */
uint64_t probe_object_memory_bytes(const struct probe_object *object);

/* For the attach back end that the object was opened for. */
const struct probe_programs *probe_object_programs(const struct probe_object *object);

#endif
