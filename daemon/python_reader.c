/* SPDX-License-Identifier: Apache-2.0 */
#include "python_reader.h"

#include "account/code_reading.h"
#include "target/python.h"

#include <stddef.h>

static void search(struct state *state, struct python_search *search)
{
	target_python_run(state->targets, search);
	pthread_mutex_lock(&state->lock);
	target_python_done(state->targets, search);
	pthread_cond_broadcast(&state->attached);
	pthread_mutex_unlock(&state->lock);
}

static void read_codes(struct state *state, struct code_work *work)
{
	code_reading_run(account_table_code_reading(state->accounts), work);
	pthread_mutex_lock(&state->lock);
	code_reading_done(state->accounts, work);
	pthread_mutex_unlock(&state->lock);
}

static int read_all(void *context)
{
	struct state *state = context;
	struct python_search *searched;
	double pause_seconds;
	struct code_work *work;

	do {
		pthread_mutex_lock(&state->lock);
		searched = target_python_take(state->targets, &pause_seconds);
		work = code_reading_take(account_table_code_reading(state->accounts));
		pthread_mutex_unlock(&state->lock);
		if (searched)
			search(state, searched);
		if (work)
			read_codes(state, work);
	} while (searched || work);
	return pause_seconds < 0 ? -1 : (int)(pause_seconds * 1000) + 1;
}

int python_reader_start(struct state *state, struct loop **reader)
{
	int error = loop_start(read_all, state, reader);

	if (!error)
		__atomic_store_n(&state->python_wake_fd, loop_wake_fd(*reader), __ATOMIC_RELEASE);
	return error;
}

void python_reader_stop(struct state *state, struct loop *reader)
{
	__atomic_store_n(&state->python_wake_fd, -1, __ATOMIC_RELEASE);
	loop_stop(reader);
}
