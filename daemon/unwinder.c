/* SPDX-License-Identifier: Apache-2.0 */
#include "unwinder.h"

#include <stddef.h>

static int unwind_all(void *context)
{
	struct state *state = context;
	struct unwind_work *work;

	for (;;) {
		pthread_mutex_lock(&state->lock);
		work = target_unwind_take(state->targets);
		pthread_mutex_unlock(&state->lock);
		if (!work)
			return -1;
		target_unwind_run(state->targets, work);
		pthread_mutex_lock(&state->lock);
		target_unwind_done(state->targets, work);
		pthread_cond_broadcast(&state->attached);
		pthread_mutex_unlock(&state->lock);
	}
}

int unwinder_start(struct state *state, struct loop **unwinder)
{
	int error = loop_start(unwind_all, state, unwinder);

	if (!error)
		__atomic_store_n(&state->unwinder_wake_fd, loop_wake_fd(*unwinder),
				 __ATOMIC_RELEASE);
	return error;
}

void unwinder_stop(struct state *state, struct loop *unwinder)
{
	__atomic_store_n(&state->unwinder_wake_fd, -1, __ATOMIC_RELEASE);
	loop_stop(unwinder);
}
