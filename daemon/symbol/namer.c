/* SPDX-License-Identifier: Apache-2.0 */
#include "symbol/namer.h"

#include "clock.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

struct namer {
	pthread_mutex_t lock; /* over all of it; before a module cache's lock */
	pthread_cond_t has_work;
	pthread_cond_t has_answer; /* on the monotonic clock */
	bool is_stopping;          /* atomic too */
	size_t wanted_max;
	/* Their frames hold their modules until they have been through the last round. */
	struct name_query *wanted;             /* being collected; NULL: nothing is */
	struct name_query *background;         /* collected before, in work; NULL: nothing is */
	struct name_query *asked, *asked_last; /* of those who wait, the next one first */
	struct name_query *current;            /* a step of it is under way; NULL: of none */
	struct namer_statistics statistics;
};

static int init_locks(struct namer *namer)
{
	pthread_condattr_t attributes;
	int error = pthread_condattr_init(&attributes);

	if (error)
		return -error;
	error = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	error = error ? error : pthread_cond_init(&namer->has_answer, &attributes);
	error = error ? error : pthread_cond_init(&namer->has_work, NULL);
	error = error ? error : pthread_mutex_init(&namer->lock, NULL);
	pthread_condattr_destroy(&attributes);
	return -error;
}

struct namer *namer_new(size_t wanted_max)
{
	struct namer *namer = calloc(1, sizeof(*namer));

	if (!namer)
		return NULL;
	namer->wanted_max = wanted_max;
	if (init_locks(namer)) {
		free(namer);
		return NULL;
	}
	return namer;
}

static void release_frames(const struct name_query *query)
{
	for (size_t i = 0; i < query->set.count; i++)
		module_release(query->set.frames[i].module);
}

/* What has been through the last round is at the start of the order, and was released then. */
static void release_background(const struct name_query *query)
{
	for (size_t i = query->order_count - query->left; i < query->order_count; i++)
		module_release(query->order[i]->module);
}

void namer_free(struct namer *namer)
{
	if (!namer)
		return;
	if (namer->wanted)
		release_frames(namer->wanted);
	if (namer->background)
		release_background(namer->background);
	name_query_free(namer->wanted);
	name_query_free(namer->background);
	pthread_cond_destroy(&namer->has_answer);
	pthread_cond_destroy(&namer->has_work);
	pthread_mutex_destroy(&namer->lock);
	free(namer);
}

static bool is_stopping(const struct namer *namer)
{
	return __atomic_load_n(&namer->is_stopping, __ATOMIC_ACQUIRE);
}

void namer_stop(struct namer *namer)
{
	pthread_mutex_lock(&namer->lock);
	__atomic_store_n(&namer->is_stopping, true, __ATOMIC_RELEASE);
	pthread_cond_broadcast(&namer->has_work);
	pthread_cond_broadcast(&namer->has_answer);
	pthread_mutex_unlock(&namer->lock);
}

/* ---- The queue of those who wait, under the lock ---- */

static void append_asked(struct namer *namer, struct name_query *query)
{
	query->following = NULL;
	if (namer->asked)
		namer->asked_last->following = query;
	else
		namer->asked = query;
	namer->asked_last = query;
}

static void remove_asked(struct namer *namer, const struct name_query *query)
{
	struct name_query **link = &namer->asked, *before = NULL;

	while (*link && *link != query) {
		before = *link;
		link = &before->following;
	}
	if (!*link)
		return;
	*link = query->following;
	if (namer->asked_last == query)
		namer->asked_last = before;
}

static void want(struct namer *namer, struct module *module, uint64_t file_offset)
{
	int error = 0;

	if (!namer->wanted)
		namer->wanted = name_query_new();
	if (!namer->wanted) {
		error = -ENOMEM;
	} else if (namer->wanted->set.count < namer->wanted_max) {
		error = name_query_add(namer->wanted, module, file_offset);
		if (!error)
			module_hold(module);
	} else if (!name_query_find(namer->wanted, module, file_offset)) {
		error = -ENOSPC;
	}
	if (error && error != -EEXIST)
		namer->statistics.dropped_frames++;
	if (!error)
		pthread_cond_signal(&namer->has_work);
}

static void lock_and_want(struct namer *namer, struct module *module, uint64_t file_offset)
{
	pthread_mutex_lock(&namer->lock);
	if (!namer->is_stopping)
		want(namer, module, file_offset);
	pthread_mutex_unlock(&namer->lock);
}

void namer_want(struct namer *namer, struct module *module, uint64_t file_offset)
{
	struct symbol_frames frames;
	bool is_stale;

	if (module_find_known(module, file_offset, &frames, &is_stale) != SYMBOL_COMPLETE ||
	    is_stale)
		lock_and_want(namer, module, file_offset);
}

/* ---- Asking ---- */

/* What is known without waiting. Returns how many aren't complete. */
static size_t look_up_known(struct namer *namer, struct name_query *query)
{
	size_t incomplete = 0;

	for (size_t i = 0; i < query->set.count; i++) {
		struct named_frame *frame = &query->set.frames[i];
		struct symbol_frames frames;
		enum symbol_state state;
		bool is_stale;

		if (frame->state == SYMBOL_COMPLETE)
			continue;
		state = module_find_known(frame->module, frame->file_offset, &frames, &is_stale);
		if (state != SYMBOL_UNKNOWN)
			named_frame_set(frame, &frames, state);
		if (is_stale)
			lock_and_want(namer, frame->module, frame->file_offset);
		incomplete += frame->state != SYMBOL_COMPLETE;
	}
	return incomplete;
}

/* From then on the thread doesn't touch it any more. */
static void leave(struct namer *namer, struct name_query *query)
{
	remove_asked(namer, query);
	if (namer->current == query)
		namer->current = NULL;
	for (size_t i = 0; i < query->order_count && !namer->is_stopping; i++)
		if (query->order[i]->state != SYMBOL_COMPLETE)
			want(namer, query->order[i]->module, query->order[i]->file_offset);
}

static void await(struct namer *namer, struct name_query *query, double until_seconds)
{
	struct timespec until = {.tv_sec = (time_t)until_seconds};
	int error = 0;

	until.tv_nsec = (long)((until_seconds - (double)until.tv_sec) * 1e9);
	pthread_mutex_lock(&namer->lock);
	append_asked(namer, query);
	pthread_cond_signal(&namer->has_work);
	while (query->left && !namer->is_stopping && !error)
		error = pthread_cond_timedwait(&namer->has_answer, &namer->lock, &until);
	leave(namer, query);
	pthread_mutex_unlock(&namer->lock);
}

size_t namer_ask(struct namer *namer, struct name_query *query, double until_seconds)
{
	size_t pending = look_up_known(namer, query);

	if (!pending)
		return 0;
	if (!name_query_plan(query))
		await(namer, query, until_seconds);
	pending = look_up_known(namer, query);
	pthread_mutex_lock(&namer->lock);
	namer->statistics.pending_frames += pending;
	pthread_mutex_unlock(&namer->lock);
	return pending;
}

/* ---- The thread ---- */

static bool begin_background(struct namer *namer)
{
	if (namer->background)
		return true;
	if (!namer->wanted)
		return false;
	namer->background = namer->wanted;
	namer->wanted = NULL;
	if (!name_query_plan(namer->background))
		return true;
	namer->statistics.dropped_frames += namer->background->set.count;
	release_frames(namer->background);
	name_query_free(namer->background);
	namer->background = NULL;
	return false;
}

/* Those who wait take turns, a step each. */
static bool take_step(struct namer *namer, struct name_step *step)
{
	struct name_query *query = namer->asked;

	if (query)
		remove_asked(namer, query);
	else if (begin_background(namer))
		query = namer->background;
	if (!query || !name_query_take_step(query, step))
		return false;
	module_hold(step->module);
	namer->current = query;
	return true;
}

static void deliver(struct namer *namer, const struct name_step *step, size_t index,
		    const struct symbol_frames *frames)
{
	pthread_mutex_lock(&namer->lock);
	if (namer->current == step->query && namer->current != namer->background)
		named_frame_set(step->frames[index], frames, SYMBOL_COMPLETE);
	pthread_mutex_unlock(&namer->lock);
}

/* Without the lock: the query may be gone. */
static void run_step(struct namer *namer, const struct name_step *step)
{
	if (step->round == NAME_ROUND_FUNCTIONS) {
		module_symbolize_functions(step->module, step->file_offsets, step->count);
		return;
	}
	for (size_t i = 0; i < step->count && !is_stopping(namer); i++) {
		struct symbol_frames frames = {.count = 1};

		module_symbolize_inlined(step->module, step->file_offsets[i], &frames);
		deliver(namer, step, i, &frames);
	}
}

static void end_background_step(struct namer *namer, const struct name_step *step)
{
	if (step->round == NAME_ROUND_REST)
		for (size_t i = 0; i < step->count; i++)
			module_release(step->module);
	if (namer->background->left)
		return;
	name_query_free(namer->background);
	namer->background = NULL;
}

static void end_step(struct namer *namer, const struct name_step *step)
{
	struct name_query *query = namer->current;

	if (step->round == NAME_ROUND_REST)
		namer->statistics.named_frames += step->count;
	module_release(step->module);
	if (!query)
		return;
	namer->current = NULL;
	name_query_end_step(query, step);
	if (query == namer->background)
		end_background_step(namer, step);
	else if (query->left)
		append_asked(namer, query);
	else
		pthread_cond_broadcast(&namer->has_answer);
}

void namer_run(struct namer *namer)
{
	struct name_step step;

	pthread_mutex_lock(&namer->lock);
	while (!namer->is_stopping) {
		double began = clock_read_seconds(CLOCK_THREAD_CPUTIME_ID);

		if (!take_step(namer, &step)) {
			pthread_cond_wait(&namer->has_work, &namer->lock);
			continue;
		}
		pthread_mutex_unlock(&namer->lock);
		run_step(namer, &step);
		pthread_mutex_lock(&namer->lock);
		end_step(namer, &step);
		namer->statistics.cpu_seconds +=
			clock_read_seconds(CLOCK_THREAD_CPUTIME_ID) - began;
	}
	pthread_mutex_unlock(&namer->lock);
}

void namer_read_statistics(struct namer *namer, struct namer_statistics *statistics)
{
	pthread_mutex_lock(&namer->lock);
	*statistics = namer->statistics;
	if (namer->wanted)
		statistics->waiting_frames += namer->wanted->set.count;
	if (namer->background)
		statistics->waiting_frames += namer->background->left;
	if (namer->current && namer->current != namer->background)
		statistics->waiting_frames += namer->current->left;
	for (const struct name_query *query = namer->asked; query; query = query->following)
		statistics->waiting_frames += query->left;
	pthread_mutex_unlock(&namer->lock);
}
