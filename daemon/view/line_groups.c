/* SPDX-License-Identifier: Apache-2.0 */
#include "view/line_groups.h"

#include "view/line_key.h"
#include "view/wildcard.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *const line_group_by_names[] = {"line", "file", "function", "traceback", "module", NULL};
const char *const line_sort_names[] = {"outstanding", "cumulative", "allocated",
				       "objects",     "peak",       NULL};

#define BUCKETS_FIRST 256 /* a power of two, as all later numbers of them */
#define BUCKET_EMPTY  SIZE_MAX

/* As account/estimate.c adds to what it states of a site. */
#define SAMPLES_ADDED 2.0

struct line_groups {
	struct line_groups_options options;
	struct line_group *groups;
	size_t count, capacity;
	size_t *buckets; /* indices of groups, open addressing */
	size_t bucket_count;
	int64_t *moments; /* of each group twice moment_count: own, cumulative */
	size_t site_count;
	bool is_full;
	struct line_sum total, native, unknown, left_out;
};

/* ---- Sums: what a file says may add up to anything, so they stop at the ends of their range ----
 */

static int64_t add_signed(int64_t a, int64_t b)
{
	int64_t sum;

	if (!__builtin_add_overflow(a, b, &sum))
		return sum;
	return b < 0 ? INT64_MIN : INT64_MAX;
}

static uint64_t add_unsigned(uint64_t a, uint64_t b)
{
	uint64_t sum;

	return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

void line_sum_add(struct line_sum *sum, const struct line_sum *more)
{
	sum->outstanding_bytes = add_signed(sum->outstanding_bytes, more->outstanding_bytes);
	sum->outstanding_objects += more->outstanding_objects;
	sum->python_arena_bytes = add_signed(sum->python_arena_bytes, more->python_arena_bytes);
	sum->allocated_bytes = add_unsigned(sum->allocated_bytes, more->allocated_bytes);
	sum->allocated_objects += more->allocated_objects;
	sum->freed_bytes = add_unsigned(sum->freed_bytes, more->freed_bytes);
	sum->freed_objects += more->freed_objects;
	sum->variance += more->variance;
	sum->is_estimated |= more->is_estimated;
}

static double added_variance(uint64_t sampling_interval_bytes)
{
	double interval = (double)sampling_interval_bytes;

	return sampling_interval_bytes <= 1 ? 0 : SAMPLES_ADDED * interval * interval;
}

void line_sum_finish(struct line_sum *sum, uint64_t sampling_interval_bytes)
{
	sum->outstanding_bytes_stderr =
		sum->is_estimated ? sqrt(sum->variance + added_variance(sampling_interval_bytes))
				  : 0;
	if (sum->peak_bytes < sum->outstanding_bytes)
		sum->peak_bytes = sum->outstanding_bytes;
}

/* Sites state their error with two samples added each; of a sum they are added once. */
static struct line_sum sum_of_site(const struct line_groups *groups, const struct answer_site *site)
{
	double stderr_bytes = site->outstanding_bytes_stderr;
	double variance = stderr_bytes * stderr_bytes -
			  added_variance(groups->options.sampling_interval_bytes);

	return (struct line_sum){
		.outstanding_bytes = site->outstanding_bytes,
		.outstanding_objects = site->outstanding_objects,
		.python_arena_bytes = site->is_python_arena ? site->outstanding_bytes : 0,
		.allocated_bytes = site->allocated_bytes,
		.allocated_objects = site->allocated_objects,
		.freed_bytes = site->freed_bytes,
		.freed_objects = site->freed_objects,
		.variance = stderr_bytes > 0 && variance > 0 ? variance : 0,
		.is_estimated = stderr_bytes > 0,
	};
}

/* A site alone is a lower bound for the peak of all that it belongs to. */
static void add_moments(const struct line_groups *groups, int64_t *moments,
			const struct answer_site *site, struct line_sum *sum)
{
	for (size_t i = 0; i < groups->options.moment_count && site->moments_bytes; i++)
		moments[i] = add_signed(moments[i], site->moments_bytes[i]);
	if (site->peak_bytes > sum->peak_bytes)
		sum->peak_bytes = site->peak_bytes;
}

/* ---- Groups ---- */

struct line_groups *line_groups_new(const struct line_groups_options *options)
{
	struct line_groups *groups = calloc(1, sizeof(*groups));

	if (!groups)
		return NULL;
	groups->options = *options;
	groups->buckets = malloc(BUCKETS_FIRST * sizeof(*groups->buckets));
	if (!groups->buckets) {
		free(groups);
		return NULL;
	}
	groups->bucket_count = BUCKETS_FIRST;
	memset(groups->buckets, 0xff, BUCKETS_FIRST * sizeof(*groups->buckets));
	return groups;
}

void line_groups_free(struct line_groups *groups)
{
	if (!groups)
		return;
	free(groups->groups);
	free(groups->buckets);
	free(groups->moments);
	free(groups);
}

/* Where the group with this key is, or would be. */
static size_t *find_bucket(const struct line_groups *groups, const struct line_group *key)
{
	size_t mask = groups->bucket_count - 1;

	for (size_t i = key->hash & mask;; i = (i + 1) & mask) {
		size_t *bucket = &groups->buckets[i];

		if (*bucket == BUCKET_EMPTY ||
		    (groups->groups[*bucket].hash == key->hash &&
		     line_key_is_same(groups->options.group_by, &groups->groups[*bucket], key)))
			return bucket;
	}
}

/* At most half full, so that a search ends soon. */
static int grow_buckets(struct line_groups *groups)
{
	size_t count = 2 * groups->bucket_count;
	size_t *buckets = malloc(count * sizeof(*buckets));

	if (!buckets)
		return -ENOMEM;
	memset(buckets, 0xff, count * sizeof(*buckets));
	free(groups->buckets);
	groups->buckets = buckets;
	groups->bucket_count = count;
	for (size_t i = 0; i < groups->count; i++)
		*find_bucket(groups, &groups->groups[i]) = i;
	return 0;
}

static int grow_groups(struct line_groups *groups)
{
	size_t capacity = groups->capacity ? 2 * groups->capacity : 128;
	size_t moments = 2 * groups->options.moment_count;
	void *grown = reallocarray(groups->groups, capacity, sizeof(*groups->groups));

	if (!grown)
		return -ENOMEM;
	groups->groups = grown;
	if (moments) {
		grown = reallocarray(groups->moments, capacity, moments * sizeof(int64_t));
		if (!grown)
			return -ENOMEM;
		groups->moments = grown;
	}
	groups->capacity = capacity;
	return 0;
}

/* The group of that key, made if need be. NULL: no room for it, or *error is -ENOMEM. */
static struct line_group *get_group(struct line_groups *groups, const struct line_group *key,
				    int *error)
{
	size_t *bucket = find_bucket(groups, key);
	size_t moments = 2 * groups->options.moment_count;
	struct line_group *group;

	if (*bucket != BUCKET_EMPTY)
		return &groups->groups[*bucket];
	if (groups->count == LINE_GROUPS_MAX) {
		groups->is_full = true;
		return NULL;
	}
	if ((groups->count == groups->capacity && grow_groups(groups)) ||
	    (2 * groups->count >= groups->bucket_count && grow_buckets(groups))) {
		*error = -ENOMEM;
		return NULL;
	}
	*find_bucket(groups, key) = groups->count;
	group = &groups->groups[groups->count];
	*group = *key;
	group->moments = groups->count * moments;
	if (moments)
		memset(&groups->moments[group->moments], 0, moments * sizeof(int64_t));
	groups->count++;
	return group;
}

/* ---- A site ---- */

static const struct answer_frame *innermost(const struct answer_site *site, bool is_python)
{
	for (size_t i = 0; i < site->frame_count; i++)
		if (line_frame_is_python(&site->frames[i]) == is_python)
			return &site->frames[i];
	return NULL;
}

static bool is_wanted(const struct line_groups_options *options, const struct answer_frame *frame)
{
	const char *file = frame->file ? frame->file : frame->module;

	if (options->file && (!file || !wildcard_matches_path(options->file, file)))
		return false;
	if (!options->function)
		return true;
	return (frame->function && strcmp(frame->function, options->function) == 0) ||
	       (frame->qualified_name && strcmp(frame->qualified_name, options->function) == 0);
}

static struct line_group key_of(const struct line_groups *groups, const struct answer_site *site,
				const struct answer_frame *frame)
{
	struct line_group key = {
		.kind = line_frame_is_python(frame) ? LINE_PYTHON : LINE_NATIVE,
		.frame = frame,
		.frames = site->frames,
		.frame_count = site->frame_count,
	};

	key.hash = line_key_hash(groups->options.group_by, &key);
	return key;
}

static void add_own(struct line_groups *groups, struct line_group *group,
		    const struct answer_site *site, const struct line_sum *sum)
{
	if (!group) {
		line_sum_add(&groups->left_out, sum);
		return;
	}
	line_sum_add(&group->own, sum);
	if (groups->moments)
		add_moments(groups, &groups->moments[group->moments], site, &group->own);
}

static void add_cumulative(struct line_groups *groups, struct line_group *group,
			   const struct answer_site *site, const struct line_sum *sum)
{
	if (!group || group->last_site == groups->site_count)
		return;
	group->last_site = groups->site_count;
	line_sum_add(&group->cumulative, sum);
	if (groups->moments)
		add_moments(groups, &groups->moments[group->moments + groups->options.moment_count],
			    site, &group->cumulative);
}

/* Of the kind that groups it; of modules, all frames. */
static bool counts_for(const struct line_groups *groups, const struct answer_frame *frame,
		       const struct answer_frame *own)
{
	return groups->options.group_by == LINE_BY_MODULE ||
	       line_frame_is_python(frame) == line_frame_is_python(own);
}

/* own: the frame whose group it belongs to. */
static int add_to_groups(struct line_groups *groups, const struct answer_site *site,
			 const struct answer_frame *own, const struct line_sum *sum)
{
	bool is_whole = groups->options.group_by == LINE_BY_TRACEBACK;
	int error = 0;

	for (size_t i = 0; i < site->frame_count && !error; i++) {
		const struct answer_frame *frame = &site->frames[i];
		bool is_filtered = groups->options.group_by < LINE_BY_TRACEBACK &&
				   !is_wanted(&groups->options, frame);
		struct line_group *group = NULL;

		if ((is_whole && frame != own) || !counts_for(groups, frame, own))
			continue;
		if (!is_filtered) {
			struct line_group key = key_of(groups, site, frame);

			group = get_group(groups, &key, &error);
		}
		if (error)
			return error;
		if (frame == own)
			add_own(groups, group, site, sum);
		add_cumulative(groups, group, site, sum);
	}
	return error;
}

int line_groups_add(struct line_groups *groups, const struct answer_site *site)
{
	const struct line_groups_options *options = &groups->options;
	const struct answer_frame *python = innermost(site, true);
	const struct answer_frame *own = python;
	struct line_sum sum = sum_of_site(groups, site);

	groups->site_count++;
	line_sum_add(&groups->total, &sum);
	if (!site->frame_count) {
		line_sum_add(&groups->unknown, &sum);
		return 0;
	}
	if (!own && (options->has_native_groups || options->group_by == LINE_BY_MODULE))
		own = &site->frames[0];
	if (!own) {
		line_sum_add(&groups->native, &sum);
		return 0;
	}
	if (options->group_by >= LINE_BY_TRACEBACK && !is_wanted(options, own)) {
		line_sum_add(&groups->left_out, &sum);
		return 0;
	}
	if (options->group_by == LINE_BY_MODULE)
		own = &site->frames[0];
	return add_to_groups(groups, site, own, &sum);
}

/* ---- The end ---- */

static double sort_value(const struct line_group *group, enum line_sort sort)
{
	switch (sort) {
	case LINE_SORT_CUMULATIVE:
		return (double)group->cumulative.outstanding_bytes;
	case LINE_SORT_ALLOCATED:
		return (double)group->own.allocated_bytes;
	case LINE_SORT_OBJECTS:
		return group->own.outstanding_objects;
	case LINE_SORT_PEAK:
		return (double)group->own.peak_bytes;
	case LINE_SORT_OUTSTANDING:
		break;
	}
	return (double)group->own.outstanding_bytes;
}

/* What is equal by the key: by what it holds, then by name, so that the order is always the same.
 */
static int compare_groups(const void *a, const void *b, void *context)
{
	static const enum line_sort orders[] = {LINE_SORT_OUTSTANDING, LINE_SORT_CUMULATIVE,
						LINE_SORT_ALLOCATED};
	const struct line_group *left = a, *right = b;
	double left_value = sort_value(left, *(const enum line_sort *)context);
	double right_value = sort_value(right, *(const enum line_sort *)context);

	for (size_t i = 0; left_value == right_value && i < sizeof(orders) / sizeof(orders[0]);
	     i++) {
		left_value = sort_value(left, orders[i]);
		right_value = sort_value(right, orders[i]);
	}
	if (left_value != right_value)
		return left_value < right_value ? 1 : -1;
	return line_key_compare(left, right);
}

static void finish_sum(const struct line_groups *groups, const int64_t *moments,
		       struct line_sum *sum)
{
	for (size_t i = 0; i < groups->options.moment_count; i++)
		if (moments[i] > sum->peak_bytes)
			sum->peak_bytes = moments[i];
	line_sum_finish(sum, groups->options.sampling_interval_bytes);
}

void line_groups_finish(struct line_groups *groups, enum line_sort sort)
{
	uint64_t interval_bytes = groups->options.sampling_interval_bytes;

	for (size_t i = 0; i < groups->count; i++) {
		struct line_group *group = &groups->groups[i];
		/* Not moved by the arithmetic where there are none. */
		const int64_t *moments = groups->moments ? &groups->moments[group->moments] : NULL;

		finish_sum(groups, moments, &group->own);
		finish_sum(groups, moments ? moments + groups->options.moment_count : NULL,
			   &group->cumulative);
	}
	line_sum_finish(&groups->total, interval_bytes);
	line_sum_finish(&groups->native, interval_bytes);
	line_sum_finish(&groups->unknown, interval_bytes);
	line_sum_finish(&groups->left_out, interval_bytes);
	if (groups->count)
		qsort_r(groups->groups, groups->count, sizeof(*groups->groups), compare_groups,
			&sort);
	/* They have other places now. */
	memset(groups->buckets, 0xff, groups->bucket_count * sizeof(*groups->buckets));
	for (size_t i = 0; i < groups->count; i++)
		*find_bucket(groups, &groups->groups[i]) = i;
}

const struct line_group *line_groups_list(const struct line_groups *groups, size_t *count)
{
	*count = groups->count;
	return groups->groups;
}

const struct line_group *line_groups_find(const struct line_groups *groups,
					  const struct line_group *like)
{
	size_t bucket = *find_bucket(groups, like);

	return bucket == BUCKET_EMPTY ? NULL : &groups->groups[bucket];
}

const struct line_sum *line_groups_total(const struct line_groups *groups)
{
	return &groups->total;
}

const struct line_sum *line_groups_native(const struct line_groups *groups)
{
	return &groups->native;
}

const struct line_sum *line_groups_unknown(const struct line_groups *groups)
{
	return &groups->unknown;
}

const struct line_sum *line_groups_left_out(const struct line_groups *groups)
{
	return &groups->left_out;
}

bool line_groups_is_full(const struct line_groups *groups)
{
	return groups->is_full;
}
