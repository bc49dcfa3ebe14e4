/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The programs of the RSS profile (bpf/rss.bpf.c): attached only while something is watched, since
 * they run whenever any process's resident memory changes.
 */
#ifndef MEMWATCH_PROBE_RSS_PROFILE_H
#define MEMWATCH_PROBE_RSS_PROFILE_H

#include "record.h"

#include <stdbool.h>
#include <stdint.h>

struct bpf_map;
struct bpf_program;
struct btf;

/* Of the object, borrowed. */
struct rss_profile_pieces {
	struct bpf_program *change, *exec, *begin;
	struct bpf_map *spaces, *parts, *slots, *filter;
};

struct rss_profile;

/* Whether this kernel has the tracepoint, and counts memory in a way that is known. */
bool rss_profile_is_offered(const struct btf *kernel);
/* Before the object is loaded. */
void rss_profile_configure(const struct rss_profile_pieces *pieces, bool is_offered, uint32_t slots,
			   uint32_t cpus);
/* Afterwards. NULL when out of memory. */
struct rss_profile *rss_profile_new(const struct rss_profile_pieces *pieces, bool is_offered,
				    uint32_t slots);
void rss_profile_free(struct rss_profile *profile);

/*
 * A slot's process, which must be in target_slots, is followed from now on. 0; -ENOTSUP where the
 * kernel doesn't offer it, other -errno.
 */
int rss_profile_follow(struct rss_profile *profile, uint32_t slot);
/* Fine for a slot that isn't followed. */
void rss_profile_leave(struct rss_profile *profile, uint32_t slot);

#endif
