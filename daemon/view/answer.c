/* SPDX-License-Identifier: Apache-2.0 */
#include "view/answer.h"

#include "account/stack.h"
#include "view/line_groups.h"

#include <stdlib.h>

static void clear_site(struct answer_site *site)
{
	stack_free(site->stack);
	free(site->frames);
	free(site->reason);
	free(site->moments_bytes);
}

static void clear_targets(struct answer_targets *answer)
{
	for (size_t i = 0; i < answer->target_count; i++) {
		/* const for readers; the answer owns it all the same. */
		free((char *)answer->targets[i].allocators);
		free(answer->targets[i].provider_reason);
		free((char *)answer->targets[i].end_detail);
		free(answer->targets[i].losses);
	}
	free(answer->targets);
	free(answer->waiting);
}

static void clear_status(struct answer_status *answer)
{
	free(answer->maps);
	free(answer->losses);
}

void answer_sites_free(struct answer_sites *answer)
{
	if (!answer)
		return;
	for (size_t i = 0; i < answer->site_count; i++)
		clear_site(&answer->sites[i]);
	free(answer->sites);
	free(answer->losses);
	free(answer->incomplete_reason);
	free(answer->end_detail);
	free(answer);
}

void answer_lines_free(struct answer_lines *answer)
{
	if (!answer)
		return;
	line_groups_free(answer->groups);
	answer_sites_free(answer->sites);
	free(answer);
}

void answer_targets_free(struct answer_targets *answer)
{
	if (!answer)
		return;
	clear_targets(answer);
	free(answer);
}

void answer_processes_free(struct answer_processes *answer)
{
	if (!answer)
		return;
	free(answer->processes);
	free(answer);
}

void answer_ooms_free(struct answer_ooms *answer)
{
	if (!answer)
		return;
	for (size_t i = 0; i < answer->oom_count; i++) {
		free(answer->ooms[i].cgroup);
		answer_sites_free(answer->ooms[i].sites);
	}
	free(answer->ooms);
	free(answer);
}

void answer_doctor_free(struct answer_doctor *answer)
{
	if (!answer)
		return;
	for (size_t i = 0; i < answer->check_count; i++) {
		free(answer->checks[i].detail);
		free(answer->checks[i].remedy);
	}
	free(answer->checks);
	free(answer->costs);
	free(answer);
}

void answer_status_free(struct answer_status *answer)
{
	if (!answer)
		return;
	clear_status(answer);
	free(answer);
}

void answer_metrics_free(struct answer_metrics *answer)
{
	if (!answer)
		return;
	clear_status(&answer->status);
	clear_targets(&answer->targets);
	free(answer->processes.processes);
	free(answer);
}
