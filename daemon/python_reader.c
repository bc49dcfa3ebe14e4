/* SPDX-License-Identifier: Apache-2.0 */
#include "python_reader.h"

#include "account/code_reading.h"
#include "clock.h"
#include "loop.h"
#include "target/python.h"

#include <errno.h>
#include <stdlib.h>

/*
 * A process can make its code objects large, and new ones all the time. What takes longer than this
 * is followed by a rest, so that the thread has a fifth of a processor at most for long.
 */
#define AGAIN_SECONDS     0.1 /* memory that isn't there is looked at again so much later */
#define WORK_SECONDS_FREE 0.05
#define REST_FACTOR       4.0
#define REST_SECONDS_MAX  2.0

struct python_reader {
	struct state *state;
	struct loop *loop;
	double rest_until_seconds; /* monotonic */
};

static void search(struct state *state, struct python_search *search)
{
	target_python_run(state->targets, search);
	pthread_mutex_lock(&state->lock);
	target_python_done(state->targets, search);
	pthread_cond_broadcast(&state->attached);
	pthread_mutex_unlock(&state->lock);
}

static void read_codes(struct python_reader *reader, struct code_work *work)
{
	struct state *state = reader->state;
	struct code_reading *reading = account_table_code_reading(state->accounts);
	double began = clock_monotonic_seconds(), taken, rest;
	bool is_incomplete;

	code_reading_run(reading, work);
	taken = clock_monotonic_seconds() - began;
	pthread_mutex_lock(&state->lock);
	is_incomplete = code_reading_done(reading, state->accounts, work);
	pthread_mutex_unlock(&state->lock);
	if (is_incomplete)
		reader->rest_until_seconds = clock_monotonic_seconds() + AGAIN_SECONDS;
	if (taken < WORK_SECONDS_FREE)
		return;
	rest = REST_FACTOR * taken < REST_SECONDS_MAX ? REST_FACTOR * taken : REST_SECONDS_MAX;
	reader->rest_until_seconds = clock_monotonic_seconds() + rest;
}

static double rest_seconds(const struct python_reader *reader)
{
	return reader->rest_until_seconds - clock_monotonic_seconds();
}

static int pause_ms(const struct python_reader *reader, double pause_seconds)
{
	double rest = rest_seconds(reader);

	if (rest > 0 && (pause_seconds < 0 || rest < pause_seconds))
		pause_seconds = rest;
	return pause_seconds < 0 ? -1 : (int)(pause_seconds * 1000) + 1;
}

static int read_all(void *context)
{
	struct python_reader *reader = context;
	struct state *state = reader->state;
	struct python_search *searched;
	double pause_seconds;
	struct code_work *work;

	do {
		bool rests = rest_seconds(reader) > 0;

		pthread_mutex_lock(&state->lock);
		searched = target_python_take(state->targets, &pause_seconds);
		work = rests ? NULL
			     : code_reading_take(account_table_code_reading(state->accounts));
		pthread_mutex_unlock(&state->lock);
		if (searched)
			search(state, searched);
		if (work)
			read_codes(reader, work);
	} while (searched || work);
	return pause_ms(reader, pause_seconds);
}

int python_reader_start(struct state *state, struct python_reader **reader)
{
	struct python_reader *started = calloc(1, sizeof(*started));
	int error;

	if (!started)
		return -ENOMEM;
	started->state = state;
	error = loop_start(read_all, started, &started->loop);
	if (error) {
		free(started);
		return error;
	}
	__atomic_store_n(&state->python_wake_fd, loop_wake_fd(started->loop), __ATOMIC_RELEASE);
	*reader = started;
	return 0;
}

void python_reader_stop(struct python_reader *reader)
{
	if (!reader)
		return;
	__atomic_store_n(&reader->state->python_wake_fd, -1, __ATOMIC_RELEASE);
	loop_stop(reader->loop);
	free(reader);
}
