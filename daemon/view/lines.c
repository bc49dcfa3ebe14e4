/* SPDX-License-Identifier: Apache-2.0 */
/* lines: the sites of one account, by the Python line, file, function… that made them. */
#include "view/lines.h"

#include "view/sites.h"

#include <errno.h>
#include <stdlib.h>

static struct line_groups *group_sites(const struct answer_sites *sites,
				       const struct view_lines_options *options)
{
	const struct line_groups_options group_options = {
		.group_by = options->group_by,
		.file = options->file,
		.function = options->function,
		.sampling_interval_bytes = sites->sampling_interval_bytes,
		.moment_count = sites->moment_count,
	};
	struct line_groups *groups = line_groups_new(&group_options);

	for (size_t i = 0; groups && i < sites->site_count; i++) {
		if (line_groups_add(groups, &sites->sites[i])) {
			line_groups_free(groups);
			return NULL;
		}
	}
	if (groups)
		line_groups_finish(groups, options->sort);
	return groups;
}

struct answer_lines *lines_of_sites(struct answer_sites *sites,
				    const struct view_lines_options *options)
{
	struct answer_lines *answer = calloc(1, sizeof(*answer));

	if (!answer) {
		answer_sites_free(sites);
		return NULL;
	}
	answer->sites = sites;
	answer->groups = group_sites(sites, options);
	if (!answer->groups) {
		answer_lines_free(answer);
		return NULL;
	}
	line_groups_list(answer->groups, &answer->listed);
	if (options->top && options->top < answer->listed)
		answer->listed = options->top;
	return answer;
}

int view_lines(struct state *state, const struct view_viewer *viewer, pid_t pid,
	       const struct view_lines_options *options, struct answer_lines **answer)
{
	const struct view_sites_options sites_options = {
		.is_all = true, .has_moments = true, .has_resident = true};
	struct gathered_sites *gathered = NULL;
	struct answer_sites *sites;
	struct account *account;
	int error;

	state_lock(state);
	error = viewer_find_account(state, viewer, pid, &account);
	if (!error)
		gathered = sites_gather(state, account, &sites_options);
	pthread_mutex_unlock(&state->lock);
	if (error)
		return error;
	/* Python's frames have their names; native ones are known by their modules here. */
	sites = sites_name(gathered, NULL, 0);
	*answer = sites ? lines_of_sites(sites, options) : NULL;
	return *answer ? 0 : -ENOMEM;
}
