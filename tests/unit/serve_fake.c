/* SPDX-License-Identifier: Apache-2.0 */
#include "serve_fake.h"

#include "account/stack.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* In tests, out of memory is a crash. */
static void *make(size_t count, size_t size)
{
	void *memory = calloc(count, size);

	if (!memory)
		abort();
	return memory;
}

static void set_comm(char comm[16])
{
	memcpy(comm, FAKE_HOSTILE_TEXT, 16); /* fills it: no terminator */
}

static struct answer_loss *make_losses(size_t *count)
{
	struct answer_loss *losses = make(2, sizeof(*losses));

	losses[0] = (struct answer_loss){"map_full", 3};
	losses[1] = (struct answer_loss){"ring_full", UINT64_MAX};
	*count = 2;
	return losses;
}

const char *verdict_name(enum verdict verdict)
{
	return verdict == VERDICT_LEAK ? "leak" : "steady";
}

static void fill_site(struct answer_site *site, bool has_verdict)
{
	*site = (struct answer_site){
		.verdict = VERDICT_LEAK,
		.outstanding_bytes = INT64_MAX,
		.outstanding_bytes_stderr = 0.1,
		.outstanding_objects = 117,
		.allocated_bytes = UINT64_MAX,
		.allocated_objects = 117.5,
		.freed_bytes = (UINT64_C(1) << 53) + 1,
		.growth_bytes_per_second = -1e300,
		.oldest_age_seconds = 30.1,
		.reason = has_verdict ? strdup("grew\nsteadily") : NULL,
		.stack_end = "frame_pointer_guess",
		.frames = make(2, sizeof(struct answer_frame)),
		.frame_count = 2,
	};
	site->frames[0] = (struct answer_frame){
		.kind = "native",
		.function = "load<\"x\">",
		.module = FAKE_HOSTILE_TEXT,
		.build_id = "abcdef",
		.offset = UINT64_MAX,
		.file = "x.c",
		.line = 42,
	};
	site->frames[1] =
		(struct answer_frame){.kind = "native", .build_id = "", .is_pending = true};
}

struct answer_sites *fake_sites(size_t site_count, bool has_verdicts)
{
	struct answer_sites *answer = make(1, sizeof(*answer));

	*answer = (struct answer_sites){
		.pid = FAKE_ROOT_PID,
		.start_time_seconds = 1767225600.99,
		.observed_seconds = 30.1,
		.provider = "uprobes",
		.sampling_interval_bytes = 65536,
		.incomplete_reason = strdup("3 blocks were lost"),
		.lost_events = 3,
		.losses = make_losses(&answer->loss_count),
		.loss_count = 2,
		.is_ended = true,
		.end_reason = "exited",
		.end_detail = strdup("by itself"),
		.has_verdicts = has_verdicts,
		.outstanding_bytes = -5,
		.sites = make(site_count, sizeof(struct answer_site)),
		.site_count = site_count,
		.sites_total = 12,
		.overhead_share = -1,
	};
	set_comm(answer->comm);
	for (size_t i = 0; i < site_count; i++)
		fill_site(&answer->sites[i], has_verdicts);
	return answer;
}

static void fill_targets(struct answer_targets *answer)
{
	struct answer_target *target = make(1, sizeof(*target));

	*target = (struct answer_target){
		.pid = FAKE_ROOT_PID,
		.provider = "otel_memory", /* which has no interval that were known */
		.allocators = strdup("glibc"),
		.backend = "perf",
		.is_persistent = true,
		.outstanding_bytes = 1 << 20,
		.allocation_hits = UINT64_MAX,
		.overhead_share = 0.012,
		.control = {.budget_share = 0.3, .recent_share = 0.03},
		.losses = make_losses(&target->loss_count),
		.loss_count = 2,
	};
	set_comm(target->comm);
	*answer = (struct answer_targets){
		.targets = target,
		.target_count = 1,
		.waiting = make(1, sizeof(*answer->waiting)),
		.waiting_count = 1,
	};
	answer->waiting[0] = (struct answer_waiting){.pid = FAKE_NOBODY_PID, .retries = 2};
}

struct answer_targets *fake_targets(void)
{
	struct answer_targets *answer = make(1, sizeof(*answer));

	fill_targets(answer);
	return answer;
}

static const struct answer_process all_processes[] = {
	{.pid = FAKE_ROOT_PID, .uid = 0, .comm = "init", .rss_anon_bytes = 1, .is_target = true},
	{.pid = FAKE_NOBODY_PID, .uid = FAKE_NOBODY_UID, .comm = "sh", .rss_anon_bytes = 2},
};

static void fill_processes(struct answer_processes *answer, const struct view_viewer *viewer,
			   pid_t pid)
{
	*answer = (struct answer_processes){.processes = make(2, sizeof(*answer->processes))};
	for (size_t i = 0; i < 2; i++) {
		const struct answer_process *process = &all_processes[i];

		if ((viewer->sees_all || process->uid == viewer->uid) &&
		    (pid == 0 || process->pid == pid))
			answer->processes[answer->process_count++] = *process;
	}
	answer->processes_total = answer->process_count;
}

static void fill_status(struct answer_status *answer)
{
	*answer = (struct answer_status){
		.version = "0.1.0",
		.start_time_seconds = 1767225600,
		.uptime_seconds = 1.5,
		.backend = "perf",
		.backends_tried = {{.name = "multi", .reason = "attaching fails"},
				   {.name = "perf", .works = true}},
		.backend_tried_count = 2,
		.targets = 1,
		.targets_max = 64,
		.cpu_seconds = 0.25,
		.maps = make(1, sizeof(*answer->maps)),
		.map_count = 1,
		.losses = make_losses(&answer->loss_count),
		.loss_count = 2,
		.events_total = UINT64_MAX,
	};
	answer->maps[0] = (struct answer_map){"blocks", 1, 1000000};
}

struct answer_metrics *fake_metrics(void)
{
	struct answer_metrics *answer = make(1, sizeof(*answer));
	struct view_viewer root = {.sees_all = true};

	fill_status(&answer->status);
	fill_targets(&answer->targets);
	fill_processes(&answer->processes, &root, 0);
	set_comm(answer->processes.processes[0].comm);
	answer->host_processes = 80;
	return answer;
}

/* Notes the call and says what to return. */
static int note(struct state *state, const struct view_viewer *viewer, pid_t pid)
{
	int err;

	pthread_mutex_lock(&state->lock);
	if (viewer)
		state->viewer = *viewer;
	state->pid = pid;
	err = state->err;
	pthread_mutex_unlock(&state->lock);
	return err;
}

int view_sites(struct state *state, const struct view_viewer *viewer, pid_t pid,
	       const struct view_sites_options *options, struct answer_sites **answer)
{
	int err = note(state, viewer, pid);

	state->sites_options = *options;
	if (!err)
		*answer = fake_sites(state->site_count, options->has_verdicts);
	for (size_t i = 0; !err && options->sort == ANSWER_SORT_RSS && i < state->site_count; i++) {
		(*answer)->sites[i].is_rss = true;
		(*answer)->sites[i].rss.growth_bytes = -7;
	}
	return err;
}

/* Sites 0 and 1 are of Python lines, a third one of none, a fourth one of no known stack. */
static struct answer_sites *fake_python_sites(void)
{
	static const struct answer_frame python = {
		.kind = "python",
		.function = "load",
		.qualified_name = "Loader.load",
		.file = FAKE_HOSTILE_TEXT,
		.line = 3,
	};
	struct answer_sites *answer = fake_sites(4, false);

	answer->moment_count = 1;
	for (size_t i = 0; i < 4; i++) {
		answer->sites[i].outstanding_bytes = INT64_C(1) << (53 + i);
		answer->sites[i].moments_bytes = make(1, sizeof(int64_t));
	}
	answer->sites[0].frames[1] = python;
	answer->sites[1].frames[1] = python;
	answer->sites[1].frames[1].line = 4;
	answer->sites[3].frame_count = 0;
	return answer;
}

int view_lines(struct state *state, const struct view_viewer *viewer, pid_t pid,
	       const struct view_lines_options *options, struct answer_lines **answer)
{
	int err = note(state, viewer, pid);
	const struct line_groups_options group_options = {.group_by = options->group_by,
							  .moment_count = 1};

	state->lines_options = *options;
	snprintf(state->lines_file, sizeof(state->lines_file), "%s",
		 options->file ? options->file : "none");
	snprintf(state->lines_function, sizeof(state->lines_function), "%s",
		 options->function ? options->function : "none");
	if (err)
		return err;
	*answer = make(1, sizeof(**answer));
	(*answer)->sites = fake_python_sites();
	(*answer)->groups = line_groups_new(&group_options);
	for (size_t i = 0; i < (*answer)->sites->site_count; i++)
		if (line_groups_add((*answer)->groups, &(*answer)->sites->sites[i]))
			abort();
	line_groups_finish((*answer)->groups, options->sort);
	line_groups_list((*answer)->groups, &(*answer)->listed);
	if (options->top && options->top < (*answer)->listed)
		(*answer)->listed = options->top;
	return 0;
}

int view_targets(struct state *state, const struct view_viewer *viewer,
		 struct answer_targets **answer)
{
	int err = note(state, viewer, 0);

	if (!err)
		*answer = fake_targets();
	return err;
}

int view_target(struct state *state, const struct view_viewer *viewer, pid_t pid,
		struct answer_targets **answer)
{
	int err = note(state, viewer, pid);

	if (!err && !state->is_watched)
		err = -ENODATA;
	if (!err)
		*answer = fake_targets();
	return err;
}

int view_processes(struct state *state, const struct view_viewer *viewer, pid_t pid, size_t top,
		   struct answer_processes **answer)
{
	int err = note(state, viewer, pid);
	struct answer_processes *found;

	state->top = top;
	if (err)
		return err;
	found = make(1, sizeof(*found));
	fill_processes(found, viewer, pid);
	if (pid == 0 || found->process_count > 0) {
		*answer = found;
		return 0;
	}
	answer_processes_free(found);
	return pid == FAKE_ROOT_PID || pid == FAKE_NOBODY_PID ? -EPERM : -ESRCH;
}

int view_ooms(struct state *state, const struct view_viewer *viewer, uint64_t id,
	      struct answer_ooms **answer)
{
	int err = note(state, viewer, 0);

	state->oom_id = id;
	if (err)
		return err;
	*answer = make(1, sizeof(**answer));
	(*answer)->oom_kills_total = 1;
	(*answer)->oom_count = 1;
	(*answer)->ooms = make(1, sizeof(struct answer_oom));
	(*answer)->ooms[0] = (struct answer_oom){
		.id = 1,
		.time_seconds = 1767225600,
		.pid = FAKE_ROOT_PID,
		.cgroup = strdup(FAKE_HOSTILE_TEXT),
		.was_target = true,
		.oom_score_adj = -1000,
		.sites = fake_sites(1, false),
	};
	set_comm((*answer)->ooms[0].comm);
	return 0;
}

int view_doctor(struct state *state, struct answer_doctor **answer)
{
	int err = note(state, NULL, 0);

	if (err)
		return err;
	pthread_mutex_lock(&state->lock);
	while (state->is_doctor_held) {
		state->is_doctor_waiting = true;
		pthread_cond_broadcast(&state->changed);
		pthread_cond_wait(&state->changed, &state->lock);
	}
	pthread_mutex_unlock(&state->lock);
	*answer = make(1, sizeof(**answer));
	(*answer)->checks = make(1, sizeof(struct answer_check));
	(*answer)->checks[0] = (struct answer_check){"btf", "ok", strdup(FAKE_HOSTILE_TEXT), NULL};
	(*answer)->check_count = 1;
	(*answer)->costs = make(2, sizeof(struct answer_cost));
	(*answer)->costs[0] = (struct answer_cost){"allocation_exact", 1700.5};
	(*answer)->costs[1] = (struct answer_cost){"free", -1};
	(*answer)->cost_count = 2;
	return 0;
}

int view_status(struct state *state, struct answer_status **answer)
{
	int err = note(state, NULL, 0);

	if (err)
		return err;
	*answer = make(1, sizeof(**answer));
	fill_status(*answer);
	return 0;
}

int view_metrics(struct state *state, struct answer_metrics **answer)
{
	int err = note(state, NULL, 0);

	if (!err)
		*answer = fake_metrics();
	return err;
}

static int explain(const struct state *state, struct view_error *error, int err)
{
	if (err && state->message)
		strncpy(error->message, state->message, sizeof(error->message) - 1);
	return err;
}

int view_watch(struct state *state, const struct view_viewer *viewer, pid_t pid,
	       const struct view_watch_options *options, struct view_watch_result *result,
	       struct view_error *error)
{
	int err = note(state, viewer, pid);

	state->watch_options = *options;
	*result = (struct view_watch_result){
		.lease_id = options->lease_seconds > 0 ? 7 : 0,
		.provider = "uprobes",
		.sampling_interval_bytes = 65536,
	};
	return explain(state, error, err);
}

int view_unwatch(struct state *state, const struct view_viewer *viewer, pid_t pid,
		 uint64_t lease_id, struct view_error *error)
{
	int err = note(state, viewer, pid);

	state->lease_id = lease_id;
	return explain(state, error, err);
}

/* Fake sites have no stack: the symbol room is not linked. */
void stack_free(struct stack *stack)
{
	free(stack);
}
