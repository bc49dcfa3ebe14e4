/* SPDX-License-Identifier: Apache-2.0 */
/* oom: who was killed for want of memory, and what it held. */
#include "clock.h"
#include "view/sites.h"
#include "view/state.h"
#include "view/view.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Of what a victim held: its largest sites are what one wants to know. */
#define HELD_SITES_MAX 50

static int copy_postmortem(const struct postmortem *postmortem, struct answer_oom *answer)
{
	*answer = (struct answer_oom){
		.id = postmortem->id,
		.time_seconds = postmortem->time_seconds,
		.pid = postmortem->pid,
		.uid = postmortem->uid,
		.cgroup = strdup(postmortem->cgroup),
		.has_rss = postmortem->has_rss,
		.rss_anon_bytes = postmortem->rss_anon_bytes,
		.rss_file_bytes = postmortem->rss_file_bytes,
		.rss_shmem_bytes = postmortem->rss_shmem_bytes,
		.swap_bytes = postmortem->swap_bytes,
		.total_vm_bytes = postmortem->total_vm_bytes,
		.page_tables_bytes = postmortem->page_tables_bytes,
		.oom_score_adj = postmortem->oom_score_adj,
		.was_target = postmortem->was_target,
	};
	memcpy(answer->comm, postmortem->comm, sizeof(answer->comm));
	return answer->cgroup ? 0 : -ENOMEM;
}

/* Whether the viewer asked for this one and may see it. */
static bool is_wanted(const struct postmortem *postmortem, const struct view_viewer *viewer,
		      uint64_t id)
{
	return (!id || postmortem->id == id) && viewer_sees(viewer, postmortem->uid);
}

static int gather(struct state *state, const struct view_viewer *viewer, uint64_t id,
		  struct answer_ooms *answer, struct gathered_sites **gathered)
{
	/* All sites, the largest first: what it held matters, whether it grew or not. */
	struct view_sites_options options = {.has_verdicts = true,
					     .is_all = true,
					     .is_largest_first = true,
					     .top = HELD_SITES_MAX};
	size_t count = postmortem_count(state->postmortems);

	for (size_t i = 0; i < count; i++) {
		const struct postmortem *postmortem = postmortem_at(state->postmortems, i);
		size_t index = answer->oom_count;

		if (!is_wanted(postmortem, viewer, id))
			continue;
		if (copy_postmortem(postmortem, &answer->ooms[index]))
			return -ENOMEM;
		answer->oom_count++;
		if (postmortem->account && viewer_sees(viewer, postmortem->account->identity.uid))
			gathered[index] = sites_gather(state, postmortem->account, &options);
	}
	return 0;
}

int view_ooms(struct state *state, const struct view_viewer *viewer, uint64_t id,
	      struct answer_ooms **answer)
{
	struct answer_ooms *made = calloc(1, sizeof(*made));
	struct gathered_sites **gathered;
	double until_seconds;
	size_t count;
	int error;

	if (!made)
		return -ENOMEM;
	state_lock(state);
	count = postmortem_count(state->postmortems);
	gathered = calloc(count + 1, sizeof(struct gathered_sites *));
	made->ooms = calloc(count + 1, sizeof(*made->ooms));
	error = gathered && made->ooms ? gather(state, viewer, id, made, gathered) : -ENOMEM;
	made->oom_kills_total = probe_object_host_counters(state->object)->oom_kills;
	pthread_mutex_unlock(&state->lock);
	until_seconds = clock_monotonic_seconds() + NAMES_SECONDS_MAX;
	for (size_t i = 0; gathered && i < count; i++)
		if (gathered[i])
			made->ooms[i].sites = sites_name(gathered[i], state->namer, until_seconds);
	free(gathered);
	if (!error && id && !made->oom_count)
		error = -ENOENT;
	if (error)
		answer_ooms_free(made);
	else
		*answer = made;
	return error;
}
