/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/rss_profile.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

struct rss_profile {
	struct rss_profile_pieces pieces;
	bool is_offered;
	bool *is_followed; /* by slot */
	uint32_t slot_count, followed_count;
	struct bpf_link *change, *exec;
};

bool rss_profile_is_offered(const struct btf *kernel)
{
	return btf__find_by_name_kind(kernel, "btf_trace_rss_stat", BTF_KIND_TYPEDEF) > 0;
}

void rss_profile_configure(const struct rss_profile_pieces *pieces, bool is_offered, uint32_t slots,
			   uint32_t cpus)
{
	bpf_program__set_autoload(pieces->change, is_offered);
	bpf_program__set_autoload(pieces->exec, is_offered);
	bpf_program__set_autoload(pieces->begin, is_offered);
	bpf_program__set_autoattach(pieces->change, false);
	bpf_program__set_autoattach(pieces->exec, false);
	bpf_program__set_autoattach(pieces->begin, false);
	bpf_map__set_max_entries(pieces->spaces, slots);
	bpf_map__set_max_entries(pieces->slots, slots);
	bpf_map__set_max_entries(pieces->parts, is_offered ? slots * cpus : 1);
}

struct rss_profile *rss_profile_new(const struct rss_profile_pieces *pieces, bool is_offered,
				    uint32_t slots)
{
	struct rss_profile *profile = calloc(1, sizeof(*profile));

	if (!profile)
		return NULL;
	profile->pieces = *pieces;
	profile->is_offered = is_offered;
	profile->slot_count = slots;
	profile->is_followed = calloc(slots, sizeof(*profile->is_followed));
	if (profile->is_followed)
		return profile;
	free(profile);
	return NULL;
}

static void detach(struct rss_profile *profile)
{
	bpf_link__destroy(profile->change);
	bpf_link__destroy(profile->exec);
	profile->change = profile->exec = NULL;
}

void rss_profile_free(struct rss_profile *profile)
{
	if (!profile)
		return;
	detach(profile);
	free(profile->is_followed);
	free(profile);
}

static int attach(struct rss_profile *profile)
{
	if (profile->change)
		return 0;
	profile->exec = bpf_program__attach(profile->pieces.exec);
	if (profile->exec)
		profile->change = bpf_program__attach(profile->pieces.change);
	if (profile->change)
		return 0;
	detach(profile);
	return errno ? -errno : -EIO;
}

/* Runs over all tasks: some 0.1 us each. */
static int begin(struct rss_profile *profile)
{
	struct bpf_link *link = bpf_program__attach_iter(profile->pieces.begin, NULL);
	int fd = link ? bpf_iter_create(bpf_link__fd(link)) : -1;
	int error = fd < 0 ? -errno : 0;
	ssize_t got = 1;
	char nothing;

	while (!error && (got = read(fd, &nothing, sizeof(nothing))) != 0)
		if (got < 0 && errno != EINTR && errno != EAGAIN)
			error = -errno;
	if (fd >= 0)
		close(fd);
	bpf_link__destroy(link);
	return error;
}

/* No process has a mark that is not there. */
static void clear_filter(struct rss_profile *profile)
{
	int fd = bpf_map__fd(profile->pieces.filter);
	uint32_t entries = bpf_map__max_entries(profile->pieces.filter);
	const uint8_t unmarked = 0;

	for (uint32_t index = 0; index < entries; index++) {
		uint8_t mark;

		if (!bpf_map_lookup_elem(fd, &index, &mark) && mark)
			bpf_map_update_elem(fd, &index, &unmarked, BPF_ANY);
	}
}

/* Whether its memory was found, and is counted in a way that we know. */
static int check_space(const struct rss_profile *profile, uint32_t slot)
{
	struct record_rss_space space;

	if (bpf_map_lookup_elem(bpf_map__fd(profile->pieces.spaces), &slot, &space))
		return -errno;
	return space.mm ? 0 : -ENOENT;
}

static void forget_space(struct rss_profile *profile, uint32_t slot)
{
	int fd = bpf_map__fd(profile->pieces.spaces);
	struct record_rss_space space;
	const struct record_rss_space none = {0};

	if (bpf_map_lookup_elem(fd, &slot, &space) || !space.mm)
		return;
	bpf_map_delete_elem(bpf_map__fd(profile->pieces.slots), &space.mm);
	bpf_map_update_elem(fd, &slot, &none, BPF_ANY);
}

void rss_profile_leave(struct rss_profile *profile, uint32_t slot)
{
	if (slot >= profile->slot_count || !profile->is_followed[slot])
		return;
	profile->is_followed[slot] = false;
	forget_space(profile, slot);
	if (--profile->followed_count)
		return;
	detach(profile);
	clear_filter(profile);
}

int rss_profile_follow(struct rss_profile *profile, uint32_t slot)
{
	int error;

	if (!profile->is_offered)
		return -ENOTSUP;
	if (slot >= profile->slot_count)
		return -EINVAL;
	error = attach(profile);
	if (error)
		return error;
	if (!profile->is_followed[slot]) {
		profile->is_followed[slot] = true;
		profile->followed_count++;
	}
	error = begin(profile);
	error = error ? error : check_space(profile, slot);
	if (error)
		rss_profile_leave(profile, slot);
	return error;
}
