/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the code objects of new stacks' Python frames while the process is there: by one thread,
 * which holds no lock as it reads the process's memory.
 *
 * Under the lock, except code_reading_run().
 */
#ifndef MEMWATCH_ACCOUNT_CODE_READING_H
#define MEMWATCH_ACCOUNT_CODE_READING_H

#include "account/account.h"

struct code_reading_statistics {
	uint64_t read_codes;       /* code objects read */
	uint64_t reused_addresses; /* where another one was found than before */
	uint64_t unreadable_codes; /* frames whose code object was gone, or none */
	uint64_t dropped_stacks;   /* not named: too many were waiting */
};

struct code_reading;
/* NULL when out of memory. */
struct code_reading *code_reading_new(void);
void code_reading_free(struct code_reading *reading);

/* A new stack of a site of the target: the code of its Python frames, if any, is to be read. */
void code_reading_want(struct code_reading *reading, const struct target *target,
		       struct site *site);
bool code_reading_has_wanted(const struct code_reading *reading);

/*
 * take returns NULL when nothing is wanted; done enters what was read, and frees the work. Returns
 * whether some of it is to be looked at again, after a while.
 */
struct code_work;
struct code_work *code_reading_take(struct code_reading *reading);
void code_reading_run(struct code_reading *reading, struct code_work *work);
bool code_reading_done(struct code_reading *reading, const struct account_table *table,
		       struct code_work *work);

/* From any thread. */
void code_reading_read_statistics(const struct code_reading *reading,
				  struct code_reading_statistics *statistics);

#endif
