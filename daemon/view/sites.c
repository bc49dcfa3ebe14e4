/* SPDX-License-Identifier: Apache-2.0 */
/* leaks and stacks: the sites of one account, with or without verdicts. */
#include "view/sites.h"

#include "account/estimate.h"
#include "clock.h"
#include "view/losses.h"
#include "view/targets.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A site; its stack is copied, so that it can be named when the account is gone. */
struct gathered_site {
	struct answer_site site;
	const struct site *origin; /* valid under the lock */
	uint64_t sort_key;
};

struct gathered_sites {
	struct answer_sites *answer; /* its sites are still missing */
	struct gathered_site *sites;
	size_t site_count;
};

bool viewer_sees(const struct view_viewer *viewer, uid_t uid)
{
	return viewer->sees_all || viewer->uid == uid;
}

int viewer_find_account(struct state *state, const struct view_viewer *viewer, pid_t pid,
			struct account **account)
{
	struct process_identity identity;

	*account = account_by_pid(state->accounts, pid);
	if (*account)
		return viewer_sees(viewer, (*account)->identity.uid) ? 0 : -EPERM;
	if (process_identify(pid, &identity))
		return -ESRCH;
	return viewer_sees(viewer, identity.uid) ? -ENODATA : -EPERM;
}

/* ---- Gathering, under the lock ---- */

static struct answer_rss answer_rss(const struct record_rss *rss)
{
	return (struct answer_rss){.growth_bytes = rss_growth_bytes(rss),
				   .grown_bytes = rss_grown_bytes(rss),
				   .shrunk_bytes = rss_shrunk_bytes(rss),
				   .by_kind = *rss};
}

/* What the site is largest by. */
static uint64_t sort_key(const struct site_numbers *numbers, enum answer_sort sort)
{
	int64_t bytes = sort == ANSWER_SORT_RSS ? rss_growth_bytes(&numbers->rss)
						: numbers->outstanding_bytes;

	if (sort == ANSWER_SORT_ALLOCATED)
		return numbers->allocated_bytes;
	return bytes > 0 ? (uint64_t)bytes : 0;
}

static void gather_site(const struct account *account, const struct site *site,
			const struct view_sites_options *options, double now,
			struct gathered_site *gathered)
{
	struct answer_site *answer = &gathered->site;
	struct verdict_conclusion conclusion;
	struct site_numbers numbers;

	site_read_numbers(site, &numbers);
	account_judge(account, site, now, &conclusion);
	*answer = (struct answer_site){
		.verdict = conclusion.verdict,
		.is_mapping = site_is_mapping(site),
		.is_rss = !site_is_used(site) && site_has_rss(site),
		.rss = answer_rss(&numbers.rss),
		.is_python_arena = site_is_python_arena(site),
		.outstanding_bytes = numbers.outstanding_bytes,
		.outstanding_bytes_stderr = estimate_site_stderr_bytes(account, site, &numbers),
		.outstanding_objects = numbers.outstanding_objects,
		.allocated_bytes = numbers.allocated_bytes,
		.allocated_objects = numbers.allocated_objects,
		.freed_bytes = numbers.freed_bytes,
		.freed_objects = numbers.freed_objects,
		.growth_bytes_per_second = conclusion.growth_bytes_per_second,
		.oldest_age_seconds = conclusion.oldest_age_seconds,
		.stack_end = stack_end_name(site->stack ? site->stack->end : STACK_END_LOST),
		.python_end = site->stack ? stack_python_end_name(site->stack->python_end) : NULL,
		.peak_bytes = site->peak_bytes,
	};
	if (options->has_verdicts)
		answer->reason = strdup(conclusion.reason);
	gathered->sort_key = sort_key(&numbers, options->sort);
}

/* Those of the account's history, its peak, and now. */
static void gather_moments(const struct account *account, const struct site *site,
			   struct answer_site *answer)
{
	size_t count = account->point_count;

	answer->moments_bytes = calloc(count + 2, sizeof(*answer->moments_bytes));
	if (!answer->moments_bytes)
		return;
	for (size_t i = 0; i < count; i++)
		answer->moments_bytes[i] = site->points[i].outstanding_bytes;
	answer->moments_bytes[count] = site->at_peak_bytes;
	answer->moments_bytes[count + 1] = answer->outstanding_bytes;
}

static int compare_sites(const void *a, const void *b)
{
	const struct gathered_site *left = a, *right = b;

	if (left->sort_key != right->sort_key)
		return left->sort_key < right->sort_key ? 1 : -1;
	return 0;
}

static int compare_verdicts(const void *a, const void *b)
{
	const struct gathered_site *left = a, *right = b;

	if (left->site.verdict != right->site.verdict)
		return left->site.verdict < right->site.verdict ? -1 : 1;
	return compare_sites(a, b);
}

static bool is_listed(const struct answer_site *site, const struct view_sites_options *options)
{
	return !options->has_verdicts || options->is_all || site->verdict < VERDICT_CACHE;
}

static void describe_python(const struct account *account, struct answer_python *python)
{
	memcpy(python->version, account->python_version, sizeof(python->version));
	memcpy(python->refusal, account->python_refusal, sizeof(python->refusal));
	python->stacks_to_root = account->counters.python_ends[RECORD_PYTHON_END_ROOT];
	for (int end = 0; end < RECORD_PYTHON_ENDS_COUNT; end++)
		if (end != RECORD_PYTHON_END_NONE)
			python->stacks_taken += account->counters.python_ends[end];
}

static struct answer_sites *gather_head(struct state *state, const struct account *account,
					const struct view_sites_options *options, double now)
{
	struct answer_sites *answer = calloc(1, sizeof(*answer));
	struct site_numbers total;

	if (!answer)
		return NULL;
	answer->pid = account->identity.pid;
	memcpy(answer->comm, account->identity.comm, sizeof(answer->comm));
	answer->start_time_seconds = account->identity.start_time_seconds;
	answer->observed_seconds = account_observed_seconds(account, now);
	answer->provider = account_provider(account);
	answer->sampling_interval_bytes = account->sampling_interval_bytes;
	answer->incomplete_reason = losses_explain(account);
	answer->is_complete = !answer->incomplete_reason;
	answer->lost_events = losses_lost_events(account);
	answer->losses = losses_of_account(account, &answer->loss_count);
	answer->stacks_to_root = account->counters.stack_ends[RECORD_STACK_END_ROOT];
	for (int end = 0; end < RECORD_STACK_ENDS_COUNT; end++)
		answer->stacks_taken += account->counters.stack_ends[end];
	describe_python(account, &answer->python);
	answer->is_ended = account->end_reason != NULL;
	answer->end_reason = account->end_reason;
	answer->end_detail = strdup(account->end_detail);
	answer->control = targets_cost_control(state, account);
	answer->has_verdicts = options->has_verdicts;
	answer->overhead_share =
		probe_costs_share(&state->costs, &account->hits, account_frees_are_known(account),
				  answer->observed_seconds);
	account_read_numbers(account, &total);
	answer->outstanding_bytes = total.outstanding_bytes;
	answer->outstanding_objects = total.outstanding_objects;
	answer->outstanding_bytes_stderr = estimate_account_stderr_bytes(account, &total);
	answer->peak_bytes = account->peak_bytes > total.outstanding_bytes
				     ? account->peak_bytes
				     : total.outstanding_bytes;
	answer->peak_seconds = account->peak_seconds;
	answer->moment_count = options->has_moments ? account->point_count + 2 : 0;
	answer->rss = answer_rss(&total.rss);
	answer->rss_refusal = account->rss_refusal;
	answer->rss_interval_bytes = account->counters.rss_interval_bytes;
	answer->rss_samples = account->counters.rss_samples;
	answer->rss_samples_to_root = account->counters.rss_samples_to_root;
	answer->rss_samples_without_stack = account->counters.lost_rss_sites;
	answer->rss_lost_samples = account->counters.lost_rss_samples;
	answer->rss_grown_elsewhere_bytes = account->counters.rss_grown_elsewhere_bytes;
	answer->rss_shrunk_elsewhere_bytes = account->counters.rss_shrunk_elsewhere_bytes;
	return answer;
}

static void gather_stacks(const struct account *account, struct gathered_sites *gathered)
{
	for (size_t i = 0; i < gathered->site_count; i++) {
		struct stack *stack = gathered->sites[i].origin->stack;

		if (stack && account->target && !account->end_reason)
			stack_name_code(stack, account->target->space);
		gathered->sites[i].site.stack = stack ? stack_copy(stack) : NULL;
	}
}

static void gather_histories(const struct account *account, struct gathered_sites *gathered)
{
	for (size_t i = 0; i < gathered->site_count; i++)
		gather_moments(account, gathered->sites[i].origin, &gathered->sites[i].site);
}

static bool is_of_kind(const struct site *site, const struct view_sites_options *options)
{
	bool is_resident = site_has_rss(site);

	if (options->sort == ANSWER_SORT_RSS)
		return is_resident;
	return site_is_used(site) || (options->has_resident && is_resident);
}

/* Sorts and cuts to the top. */
static void gather_select(const struct account *account, const struct view_sites_options *options,
			  double now, struct gathered_sites *gathered)
{
	const struct answer_rss *rss = &gathered->answer->rss;
	uint64_t rss_bytes = rss->grown_bytes + rss->shrunk_bytes;
	size_t count = 0, cut;

	for (size_t i = 0; i < account->site_count; i++) {
		struct gathered_site *site = &gathered->sites[count];

		if (!is_of_kind(account->sites[i], options))
			continue;
		gathered->answer->sites_total++;
		gather_site(account, account->sites[i], options, now, site);
		site->site.rss.growth_bytes_stderr =
			estimate_rss_stderr_bytes(account, &site->site.rss.by_kind, rss_bytes);
		if (!is_listed(&site->site, options)) {
			free(site->site.reason);
			continue;
		}
		site->origin = account->sites[i];
		count++;
	}
	qsort(gathered->sites, count, sizeof(gathered->sites[0]),
	      options->has_verdicts && !options->is_largest_first ? compare_verdicts
								  : compare_sites);
	cut = options->top && options->top < count ? options->top : count;
	for (size_t i = cut; i < count; i++)
		free(gathered->sites[i].site.reason);
	gathered->site_count = cut;
}

/* With what its sites own. */
static void gathered_free(struct gathered_sites *gathered)
{
	for (size_t i = 0; gathered->sites && i < gathered->site_count; i++) {
		free(gathered->sites[i].site.reason);
		free(gathered->sites[i].site.moments_bytes);
		stack_free(gathered->sites[i].site.stack);
	}
	answer_sites_free(gathered->answer);
	free(gathered->sites);
	free(gathered);
}

struct gathered_sites *sites_gather(struct state *state, struct account *account,
				    const struct view_sites_options *options)
{
	struct gathered_sites *gathered = calloc(1, sizeof(*gathered));
	double now = clock_monotonic_seconds();

	if (!gathered)
		return NULL;
	account_update(state->accounts, account);
	gathered->answer = gather_head(state, account, options, now);
	gathered->sites = calloc(account->site_count + 1, sizeof(*gathered->sites));
	if (!gathered->answer || !gathered->sites) {
		gathered_free(gathered);
		return NULL;
	}
	gather_select(account, options, now, gathered);
	gather_stacks(account, gathered);
	if (options->has_moments)
		gather_histories(account, gathered);
	return gathered;
}

/* ---- Naming, without the lock ---- */

/* Room for one more frame, which is cleared; NULL when out of memory. */
static struct answer_frame *add_frame(struct answer_site *site, size_t *capacity)
{
	if (site->frame_count == *capacity) {
		size_t wanted = *capacity * 2;
		void *frames = reallocarray(site->frames, wanted, sizeof(*site->frames));

		if (!frames)
			return NULL;
		site->frames = frames;
		*capacity = wanted;
	}
	site->frames[site->frame_count] = (struct answer_frame){0};
	return &site->frames[site->frame_count++];
}

/* The frames of all sites, each once; NULL when out of memory. */
static struct name_query *collect_frames(const struct gathered_sites *gathered)
{
	struct name_query *query = name_query_new();
	int error = query ? 0 : -ENOMEM;

	for (size_t i = 0; i < gathered->site_count && !error; i++) {
		const struct stack *stack = gathered->sites[i].site.stack;

		for (uint32_t j = 0; stack && j < stack->frame_count && !error; j++) {
			const struct stack_frame *frame = &stack->frames[j];

			if (frame->module &&
			    name_query_add(query, frame->module, stack_frame_call_offset(frame)) ==
				    -ENOMEM)
				error = -ENOMEM;
		}
	}
	if (!error)
		return query;
	name_query_free(query);
	return NULL;
}

/* What a frame of a stack is called. */
struct frame_names {
	const struct symbol_name *names; /* innermost first; NULL: none is known */
	size_t count;
	bool is_pending;
};

static struct frame_names find_names(const struct name_query *query,
				     const struct stack_frame *frame)
{
	const struct named_frame *named =
		name_query_find(query, frame->module, stack_frame_call_offset(frame));

	if (!named)
		return (struct frame_names){0};
	return (struct frame_names){.names = named->names,
				    .count = named->name_count,
				    .is_pending = named->state != SYMBOL_COMPLETE};
}

static int name_python_frame(const struct stack_frame *frame, struct answer_site *site,
			     size_t *capacity)
{
	struct answer_frame *answer = add_frame(site, capacity);

	if (!answer)
		return -ENOMEM;
	answer->kind = "python";
	answer->offset = frame->offset < PYTHON_OFFSET_UNKNOWN ? frame->offset : 0;
	answer->is_pending = frame->is_code_wanted;
	if (!frame->python_code)
		return 0;
	answer->function = python_code_function(frame->python_code);
	answer->qualified_name = python_code_qualified_name(frame->python_code);
	answer->file = python_code_file(frame->python_code);
	answer->line = frame->line;
	return 0;
}

/* One of the stack is several of the answer where functions were inlined. */
static int name_frame(const struct name_query *query, const struct stack_frame *frame,
		      struct answer_site *site, size_t *capacity)
{
	const struct symbol_name unnamed = frame->code ? *frame->code : (struct symbol_name){0};
	struct frame_names names = {0};

	if (frame->python_address)
		return name_python_frame(frame, site, capacity);
	if (frame->module)
		names = find_names(query, frame);
	if (!names.count) {
		names.names = &unnamed;
		names.count = 1;
	}
	for (size_t i = 0; i < names.count; i++) {
		struct answer_frame *answer = add_frame(site, capacity);

		if (!answer)
			return -ENOMEM;
		answer->kind = "native";
		answer->module = frame->module ? module_path(frame->module) : NULL;
		answer->build_id = frame->module ? module_build_id(frame->module) : NULL;
		answer->offset = frame->offset;
		answer->function = names.names[i].function;
		answer->file = names.names[i].file;
		answer->line = names.names[i].line;
		answer->is_inlined = i + 1 < names.count;
		answer->is_pending = names.is_pending;
	}
	return 0;
}

static void name_site(const struct name_query *query, struct answer_site *site)
{
	const struct stack *stack = site->stack;
	size_t capacity;

	if (!stack || !stack->frame_count)
		return;
	capacity = stack->frame_count;
	site->frames = calloc(capacity, sizeof(*site->frames));
	if (!site->frames)
		return;
	for (uint32_t i = 0; i < stack->frame_count; i++)
		if (name_frame(query, &stack->frames[i], site, &capacity))
			return;
}

static void count_pending(const struct answer_site *site, struct answer_sites *answer)
{
	for (size_t i = 0; i < site->frame_count; i++)
		answer->pending_frames += site->frames[i].is_pending;
}

struct answer_sites *sites_name(struct gathered_sites *gathered, struct namer *namer,
				double until_seconds)
{
	struct answer_sites *answer;
	struct name_query *query;

	if (!gathered)
		return NULL;
	query = collect_frames(gathered);
	answer = gathered->answer;
	answer->sites = calloc(gathered->site_count + 1, sizeof(*answer->sites));
	if (!query || !answer->sites) {
		name_query_free(query);
		gathered_free(gathered);
		return NULL;
	}
	if (namer)
		namer_ask(namer, query, until_seconds);
	for (size_t i = 0; i < gathered->site_count; i++) {
		name_site(query, &gathered->sites[i].site);
		answer->sites[answer->site_count++] = gathered->sites[i].site;
		count_pending(&gathered->sites[i].site, answer);
	}
	name_query_free(query);
	free(gathered->sites);
	free(gathered);
	return answer;
}

int view_sites(struct state *state, const struct view_viewer *viewer, pid_t pid,
	       const struct view_sites_options *options, struct answer_sites **answer)
{
	struct gathered_sites *gathered = NULL;
	struct account *account;
	int error;

	state_lock(state);
	error = viewer_find_account(state, viewer, pid, &account);
	if (!error)
		gathered = sites_gather(state, account, options);
	pthread_mutex_unlock(&state->lock);
	if (error)
		return error;
	*answer = sites_name(gathered, state->namer, clock_monotonic_seconds() + NAMES_SECONDS_MAX);
	return *answer ? 0 : -ENOMEM;
}
